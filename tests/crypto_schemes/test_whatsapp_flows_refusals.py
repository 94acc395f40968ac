"""Each way a request can fail: its error class, its code, and the work it costs."""

from __future__ import annotations

import json
import secrets
import statistics
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crypto_schemes import base64_text, scheme
from crypto_schemes.ciphers import aes, mac, rsa
from crypto_schemes.envelope import SealedReply, SealedRequest
from crypto_schemes.errors import OpenError, SignatureError
from crypto_schemes.keys import Credentials
from crypto_schemes.whatsapp_flows import SCHEME
from crypto_schemes.whatsapp_flows import scheme as whatsapp_scheme
from tests.crypto_schemes.whatsapp_partner import (
    IV,
    KEY,
    OPTIONS,
    app_secret,
    credentials,
    sealed,
    signed,
    wire,
)

PING = b'{"version":"3.0","action":"ping"}'
OAEP = rsa.RSAPadding.OAEP_SHA256


@pytest.fixture(scope="module")
def other_key() -> RSAPrivateKey:
    return rsa.generate(2048)


def _body(key: RSAPrivateKey, raw: bytes = PING, **changes: Any) -> bytes:
    return json.dumps(wire(key, raw, **changes)).encode()


def _wrapped(key: RSAPrivateKey, plaintext: bytes, padding: rsa.RSAPadding = OAEP) -> str:
    return base64_text.encode(rsa.encrypt(key.public_key(), plaintext, padding))


def _gcm(plaintext: bytes, key: bytes = KEY, iv: bytes = IV, aad: bytes | None = None) -> str:
    return base64_text.encode(aes.gcm_encrypt(key, iv, plaintext, aad))


def _without(key: RSAPrivateKey, name: str) -> bytes:
    outer = wire(key, PING)
    del outer[name]
    return json.dumps(outer).encode()


Maker = Callable[[RSAPrivateKey, RSAPrivateKey], bytes]
#: name, the code the operator's log shows, how to make the body (own key, another key).
UNOPENABLE: list[tuple[str, str, Maker]] = [
    ("empty body", "envelope", lambda k, o: b""),
    ("not JSON", "envelope", lambda k, o: b"{"),
    ("bad UTF-8", "envelope", lambda k, o: b'{"a":"\xff"}'),
    ("NUL", "envelope", lambda k, o: b"\x00" + _body(k)),
    ("byte order mark", "envelope", lambda k, o: b"\xef\xbb\xbf" + _body(k)),
    ("a list", "envelope", lambda k, o: b"[" + _body(k) + b"]"),
    ("null", "envelope", lambda k, o: b"null"),
    ("a string", "envelope", lambda k, o: b'"text"'),
    ("deep nesting", "envelope", lambda k, o: b"[" * 100_000 + b"]" * 100_000),
    ("a member twice", "envelope", lambda k, o: _body(k)[:-1] + b',"initial_vector":""}'),
    ("no data", "envelope", lambda k, o: _without(k, "encrypted_flow_data")),
    ("no key", "envelope", lambda k, o: _without(k, "encrypted_aes_key")),
    ("no IV", "envelope", lambda k, o: _without(k, "initial_vector")),
    ("data null", "envelope", lambda k, o: _body(k, encrypted_flow_data=None)),
    ("key a number", "envelope", lambda k, o: _body(k, encrypted_aes_key=1)),
    ("IV a list", "envelope", lambda k, o: _body(k, initial_vector=[])),
    ("data not base64", "base64", lambda k, o: _body(k, encrypted_flow_data="***")),
    ("data URL base64", "base64", lambda k, o: _body(k, encrypted_flow_data="-_-_")),
    ("data unpadded", "base64", lambda k, o: _body(k, encrypted_flow_data="QQ")),
    ("data folded", "base64", lambda k, o: _body(k, encrypted_flow_data="QUFB\nQUFB")),
    ("key not ASCII", "base64", lambda k, o: _body(k, encrypted_aes_key="é" * 344)),
    ("IV not base64", "base64", lambda k, o: _body(k, initial_vector="A")),
    ("IV empty", "iv", lambda k, o: _body(k, initial_vector="")),
    (
        "IV of 12 bytes",
        "iv",
        lambda k, o: _body(
            k,
            initial_vector=base64_text.encode(IV[:12]),
            encrypted_flow_data=_gcm(PING, iv=IV[:12]),
        ),
    ),
    (
        "IV of 17 bytes",
        "iv",
        lambda k, o: _body(
            k,
            initial_vector=base64_text.encode(IV + b"a"),
            encrypted_flow_data=_gcm(PING, iv=IV + b"a"),
        ),
    ),
    ("key empty", "rsa", lambda k, o: _body(k, encrypted_aes_key="")),
    ("key truncated", "rsa", lambda k, o: _body(k, encrypted_aes_key=_wrapped(k, KEY)[:-4])),
    ("key extended", "rsa", lambda k, o: _body(k, encrypted_aes_key="AAAA" + _wrapped(k, KEY))),
    ("key zero", "rsa", lambda k, o: _body(k, encrypted_aes_key=base64_text.encode(bytes(256)))),
    (
        "key above the modulus",
        "rsa",
        lambda k, o: _body(k, encrypted_aes_key=base64_text.encode(b"\xff" * 256)),
    ),
    ("key for another", "rsa", lambda k, o: _body(k, encrypted_aes_key=_wrapped(o, KEY))),
    (
        "key in PKCS#1 v1.5",
        "rsa",
        lambda k, o: _body(k, encrypted_aes_key=_wrapped(k, KEY, rsa.RSAPadding.PKCS1V15)),
    ),
    (
        "key in OAEP SHA-1",
        "rsa",
        lambda k, o: _body(k, encrypted_aes_key=_wrapped(k, KEY, rsa.RSAPadding.OAEP_SHA1)),
    ),
    (
        "AES key of 32 bytes",
        "rsa",
        lambda k, o: _body(
            k, encrypted_aes_key=_wrapped(k, KEY * 2), encrypted_flow_data=_gcm(PING, key=KEY * 2)
        ),
    ),
    ("AES key of no bytes", "rsa", lambda k, o: _body(k, encrypted_aes_key=_wrapped(k, b""))),
    ("another AES key", "gcm", lambda k, o: _body(k, encrypted_flow_data=_gcm(PING, key=IV))),
    ("another IV", "gcm", lambda k, o: _body(k, encrypted_flow_data=_gcm(PING, iv=KEY))),
    ("associated data", "gcm", lambda k, o: _body(k, encrypted_flow_data=_gcm(PING, aad=b"a"))),
    ("data empty", "gcm", lambda k, o: _body(k, encrypted_flow_data="")),
    ("data truncated", "gcm", lambda k, o: _body(k, encrypted_flow_data=_gcm(PING)[4:])),
    ("data extended", "gcm", lambda k, o: _body(k, encrypted_flow_data="AAAA" + _gcm(PING))),
    ("data shorter than a tag", "gcm", lambda k, o: _body(k, encrypted_flow_data="AAAA")),
    ("JSON cut inside", "json", lambda k, o: _body(k, PING[:-1])),
    ("nothing inside", "json", lambda k, o: _body(k, b"")),
    ("bad UTF-8 inside", "json", lambda k, o: _body(k, b'{"a":"\xff"}')),
    ("NaN inside", "json", lambda k, o: _body(k, b'{"a":NaN}')),
    ("1e999 inside", "json", lambda k, o: _body(k, b'{"a":1e999}')),
    ("5,000 digits inside", "json", lambda k, o: _body(k, b"1" * 5000)),
    ("a member twice inside", "json", lambda k, o: _body(k, b'{"a":1,"a":1}')),
    ("deep nesting inside", "json", lambda k, o: _body(k, b"[" * 65 + b"]" * 65)),
    ("half a surrogate inside", "json", lambda k, o: _body(k, b'"\\ud800"')),
]


@pytest.mark.parametrize(
    ("code", "make"), [c[1:] for c in UNOPENABLE], ids=[c[0] for c in UNOPENABLE]
)
def test_what_cannot_be_opened(
    code: str, make: Maker, rsa_2048: RSAPrivateKey, other_key: RSAPrivateKey
) -> None:
    request = signed(make(rsa_2048, other_key))
    with pytest.raises(OpenError) as caught:
        SCHEME.open_request(request, credentials(rsa_2048), OPTIONS, now=0)
    assert type(caught.value) is OpenError
    assert caught.value.code == code
    assert caught.value.__cause__ is None


RIGHT = "sha256=" + mac.sha256(app_secret().text.encode(), PING).hex()


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "signature_missing"),
        ("", "signature_missing"),
        ("sha256=", "bad_signature"),
        (RIGHT[:-1], "bad_signature"),
        (RIGHT + "0", "bad_signature"),
        (RIGHT[7:], "bad_signature"),
        (RIGHT.replace("sha256", "sha1"), "bad_signature"),
        (RIGHT.upper(), "bad_signature"),
        (RIGHT + ", " + RIGHT, "bad_signature"),
        (" " + RIGHT, "bad_signature"),
        ("sha256=" + "g" * 64, "bad_signature"),
        ("sha256=" + "é" * 64, "bad_signature"),
        ("\ud800", "bad_signature"),
        ("sha256=" + mac.sha256(b"another-secret", PING).hex(), "bad_signature"),
        ("sha256=" + mac.sha256(app_secret().text.encode(), PING + b" ").hex(), "bad_signature"),
    ],
)
def test_a_bad_signature_is_refused_before_anything_is_read(
    header: str | None, code: str, rsa_2048: RSAPrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = _count_work(monkeypatch)
    headers = {} if header is None else {"x-hub-signature-256": header}
    with pytest.raises(SignatureError) as caught:
        SCHEME.open_request(SealedRequest(PING, headers), credentials(rsa_2048), OPTIONS, now=0)
    assert caught.value.code == code
    assert counts == {}


def test_without_an_accepted_secret_nothing_opens(rsa_2048: RSAPrivateKey) -> None:
    with pytest.raises(SignatureError) as caught:
        SCHEME.open_request(sealed(rsa_2048, {}), credentials(rsa_2048, secrets=()), OPTIONS, now=0)
    assert caught.value.code == "no_app_secret"


def test_without_an_accepted_key_nothing_opens(rsa_2048: RSAPrivateKey) -> None:
    with pytest.raises(OpenError) as caught:
        SCHEME.open_request(sealed(rsa_2048, {}), credentials(), OPTIONS, now=0)
    assert caught.value.code == "rsa"


def _count_work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    counts: Counter[str] = Counter()

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            counts[name] += 1
            return function(*args, **kwargs)

        return call

    monkeypatch.setattr(rsa, "decrypt", counted("rsa", rsa.decrypt))
    monkeypatch.setattr(aes, "gcm_decrypt", counted("gcm", aes.gcm_decrypt))
    monkeypatch.setattr(whatsapp_scheme, "read_json", counted("json", scheme.read_json))
    return counts


FAILS_BEFORE_JSON = [case for case in UNOPENABLE if case[1] != "json"]


@pytest.mark.parametrize(
    "make", [c[2] for c in FAILS_BEFORE_JSON], ids=[c[0] for c in FAILS_BEFORE_JSON]
)
def test_every_failure_does_the_same_work(
    make: Maker,
    rsa_2048: RSAPrivateKey,
    other_key: RSAPrivateKey,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    second = _second_key()
    request = signed(make(rsa_2048, other_key))
    counts = _count_work(monkeypatch)
    with pytest.raises(OpenError):
        SCHEME.open_request(request, credentials(second, rsa_2048), OPTIONS, now=0)
    assert counts == {"rsa": 2, "gcm": 2, "json": 2}


_KEYS: list[RSAPrivateKey] = []


def _second_key() -> RSAPrivateKey:
    if not _KEYS:
        _KEYS.append(rsa.generate(2048))
    return _KEYS[0]


def test_the_stand_in_key_cannot_be_foreseen(
    rsa_2048: RSAPrivateKey, other_key: RSAPrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[bytes] = []
    decrypt = aes.gcm_decrypt

    def spy(key: bytes, *rest: Any) -> bytes:
        used.append(key)
        return decrypt(key, *rest)

    monkeypatch.setattr(aes, "gcm_decrypt", spy)
    request = signed(_body(rsa_2048, encrypted_aes_key=_wrapped(other_key, KEY)))
    for _ in range(3):
        with pytest.raises(OpenError):
            SCHEME.open_request(request, credentials(rsa_2048), OPTIONS, now=0)
    assert len(set(used)) == 3
    assert KEY not in used


def test_a_data_text_that_fits_the_stand_in_key_is_still_refused(
    rsa_2048: RSAPrivateKey, other_key: RSAPrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = signed(_body(rsa_2048, encrypted_aes_key=_wrapped(other_key, IV)))
    monkeypatch.setattr(secrets, "token_bytes", lambda _: KEY)
    with pytest.raises(OpenError) as caught:
        SCHEME.open_request(request, credentials(rsa_2048), OPTIONS, now=0)
    assert caught.value.code == "rsa"


def test_a_wrong_key_and_a_wrong_tag_take_about_the_same_time(
    rsa_2048: RSAPrivateKey, other_key: RSAPrivateKey
) -> None:
    owner: Credentials = credentials(rsa_2048)
    requests = {
        "rsa": signed(_body(rsa_2048, encrypted_aes_key=_wrapped(other_key, KEY))),
        "gcm": signed(_body(rsa_2048, encrypted_flow_data=_gcm(PING, key=IV))),
        "base64": signed(_body(rsa_2048, encrypted_aes_key="***")),
    }
    times: dict[str, list[float]] = {name: [] for name in requests}
    for _ in range(40):
        for name, request in requests.items():
            started = time.thread_time()
            with pytest.raises(OpenError):
                SCHEME.open_request(request, owner, OPTIONS, now=0)
            times[name].append(time.thread_time() - started)
    middles = [statistics.median(values) for values in times.values()]
    # An RSA decryption left out would make one of them several times faster.
    assert max(middles) < 3 * min(middles)


def test_an_error_says_nothing_of_the_plaintext_or_the_keys(rsa_2048: RSAPrivateKey) -> None:
    request = signed(_body(rsa_2048, b'{"secret-text": }'))
    with pytest.raises(OpenError) as caught:
        SCHEME.open_request(request, credentials(rsa_2048), OPTIONS, now=0)
    text = repr(caught.value) + str(caught.value)
    assert "secret-text" not in text
    assert app_secret().text not in text
    opened = SCHEME.open_request(sealed(rsa_2048, "hidden"), credentials(rsa_2048), OPTIONS, now=0)
    assert "hidden" not in repr(opened)
    assert KEY.hex() not in repr(opened.context)
    assert repr(opened.context) == "Session()"


def test_a_refused_clients_reply_is_empty(rsa_2048: RSAPrivateKey) -> None:
    owner = credentials(rsa_2048)
    sent = SCHEME.seal_request({}, owner, OPTIONS, now=0)
    with pytest.raises(OpenError) as caught:
        SCHEME.open_reply(SealedReply(b"", "text/plain"), sent, owner, OPTIONS, now=0)
    assert caught.value.code == "empty"
