"""No oracle: whatever fails to open does the same work first."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crypto_schemes import base64_text
from crypto_schemes.ciphers import aes, rsa
from crypto_schemes.envelope import SealedRequest
from crypto_schemes.errors import OpenError
from crypto_schemes.flynn import SCHEME, RekError, SensitiveValueError
from crypto_schemes.flynn.session import read_iv
from tests.crypto_schemes.flynn_failing import FAILURES
from tests.crypto_schemes.flynn_partner import (
    CBC,
    ECB,
    IV,
    NOW,
    OPTIONS,
    REK,
    another_2048,
    raw_block,
    request,
    server,
    wrap,
)

OPENING = [name for name, (_, kind, _) in FAILURES.items() if issubclass(kind, OpenError)]


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count RSA private operations and AES blocks."""
    done: Counter[str] = Counter()
    real_rsa, real_ecb, real_cbc = rsa.decrypt, aes.ecb_decrypt, aes.cbc_decrypt

    def decrypt(key: RSAPrivateKey, block: bytes, padding: str) -> bytes:
        assert rsa.block_in_range(rsa.modulus(key), block), "refused at the door: no work is done"
        done["rsa"] += 1
        return real_rsa(key, block, padding)

    def ecb(key: bytes, data: bytes) -> tuple[bool, bytes]:
        done["aes"] += 1
        return real_ecb(key, data)

    def cbc(key: bytes, iv: bytes, data: bytes) -> tuple[bool, bytes]:
        done["aes"] += 1
        return real_cbc(key, iv, data)

    monkeypatch.setattr(rsa, "decrypt", decrypt)
    monkeypatch.setattr(aes, "ecb_decrypt", ecb)
    monkeypatch.setattr(aes, "cbc_decrypt", cbc)
    return done


def values_in(sent: SealedRequest) -> int:
    names = {name for name in sent.headers if name.startswith("x-flynn-s-")}
    return len(names - {"x-flynn-s-rek", "x-flynn-s-iv"})


@pytest.mark.parametrize("keys", [1, 2])
@pytest.mark.parametrize("name", OPENING)
def test_every_failure_does_every_step_under_every_key(
    name: str, keys: int, work: Counter[str], rsa_2048: RSAPrivateKey, rsa_4096: RSAPrivateKey
) -> None:
    sent = FAILURES[name][0](rsa_2048)
    with pytest.raises(OpenError):
        SCHEME.open_request(sent, server(*(rsa_2048, rsa_4096)[:keys]), OPTIONS, now=NOW)
    wrapped = 2 if sent.headers.get("x-flynn-n-aes-encryption-mode") == "CBC" else 1
    assert work == Counter({"rsa": wrapped * keys, "aes": values_in(sent) * keys})


@pytest.mark.parametrize("name", [name for name in FAILURES if name not in OPENING])
def test_nothing_is_opened_for_who_is_nobody(
    name: str, work: Counter[str], rsa_2048: RSAPrivateKey
) -> None:
    with pytest.raises(Exception) as caught:
        SCHEME.open_request(FAILURES[name][0](rsa_2048), server(rsa_2048), OPTIONS, now=NOW)
    assert not isinstance(caught.value, OpenError)
    assert not work


def test_a_wrong_padding_is_decoded_all_the_same(
    monkeypatch: pytest.MonkeyPatch, rsa_2048: RSAPrivateKey
) -> None:
    decoded: list[int] = []

    class Plain(bytes):
        def decode(self, *args: Any, **kwargs: Any) -> str:
            decoded.append(len(self))
            return bytes.decode(self, *args, **kwargs)

    real = aes.unpad

    def unpad(data: bytes) -> tuple[bool, bytes]:
        fits, text = real(data)
        return fits, Plain(text)

    monkeypatch.setattr(aes, "unpad", unpad)
    sent = request(
        rek__s=wrap(rsa_2048, REK.hex().encode()),
        data__s=base64_text.encode(aes.ecb_encrypt(REK, b"A" * 4096)[:4096]),
    )
    with pytest.raises(SensitiveValueError):
        SCHEME.open_request(sent, server(rsa_2048), OPTIONS, now=NOW)
    assert decoded == [4096]


def test_whether_an_iv_block_held_an_iv_is_not_told() -> None:
    """A text that is no IV acts like an IV nobody knows, and always like the same one."""
    for text in (b"", b"x", IV[:15], IV + b"x", b"g" * 32, b"*" * 24, bytes(200)):
        first, again = read_iv(text, "any"), read_iv(text, "any")
        assert first == again
        assert len(first) == 16
        assert first not in (text[:16], bytes(16))
    assert read_iv(IV, "any") == read_iv(IV, "raw") == IV
    assert read_iv(IV, "hex") != IV
    assert read_iv(IV.hex().encode(), "raw") != IV


def test_an_iv_block_in_no_form_opens_what_its_stand_in_opens(rsa_2048: RSAPrivateKey) -> None:
    """The same request under the same wrong block has always the same outcome."""
    block = wrap(rsa_2048, b"seventeen bytes..")
    stand_in = read_iv(b"seventeen bytes..", "any")
    sent = request(
        rek__s=wrap(rsa_2048, REK.hex().encode()),
        iv__s=block,
        aes_encryption_mode="CBC",
        data__s=base64_text.encode(aes.cbc_encrypt(REK, stand_in, b"opens")),
    )
    opened = SCHEME.open_request(sent, server(rsa_2048), OPTIONS, now=NOW)
    assert opened.payload["sensitive"] == {"data": "opens"}


def test_wrong_rek_wrong_padding_and_wrong_value_take_about_as_long(
    rsa_2048: RSAPrivateKey,
) -> None:
    """Coarse on purpose: a step left out would show as half or double."""
    rek, value = REK.hex().encode(), ECB.seal("pw" * 2000)
    filling = b"\x55" * (256 - 3 - len(rek))
    requests: dict[str, tuple[SealedRequest, type[OpenError]]] = {
        "another key": (request(rek__s=wrap(another_2048(), rek), data__s=value), RekError),
        "wrong RSA padding": (
            request(rek__s=raw_block(rsa_2048, b"\0\x01" + filling + b"\0" + rek), data__s=value),
            RekError,
        ),
        "no hex": (request(rek__s=wrap(rsa_2048, b"g" * 64), data__s=value), RekError),
        "wrong AES padding": (
            request(rek__s=wrap(rsa_2048, rek), data__s=CBC.seal("pw" * 2000)),
            SensitiveValueError,
        ),
    }
    medians = {name: _median(sent, rsa_2048, kind) for name, (sent, kind) in requests.items()}
    assert max(medians.values()) < 2 * min(medians.values()), medians


def _refused(sent: SealedRequest, key: RSAPrivateKey) -> type[OpenError]:
    try:
        SCHEME.open_request(sent, server(key), OPTIONS, now=NOW)
    except OpenError as error:
        return type(error)
    raise AssertionError("it opened")


def _median(sent: SealedRequest, key: RSAPrivateKey, kind: type[OpenError]) -> float:
    times = []
    for _ in range(25):
        started = time.thread_time()
        assert _refused(sent, key) is kind
        times.append(time.thread_time() - started)
    return statistics.median(times)
