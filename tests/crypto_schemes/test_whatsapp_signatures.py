"""Body signatures, flow token JWTs and webhook challenges."""

from __future__ import annotations

import json
import warnings
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto_schemes import base64_text
from crypto_schemes.ciphers import mac
from crypto_schemes.errors import AuthenticationError, EnvelopeError, SignatureError
from crypto_schemes.keys import KeyVersion
from crypto_schemes.whatsapp_flows.signatures import (
    answer_challenge,
    sign_body,
    sign_flow_token,
    verify_body,
    verify_flow_token,
)
from tests.crypto_schemes.whatsapp_partner import app_secret

OLD, NEW = app_secret("old-secret", 1), app_secret("new-secret", 2)
NOW = 1_700_000_000.0


def test_a_body_signature_is_the_known_one() -> None:
    # RFC 4231 §4.3, test case 2.
    known = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert sign_body(b"what do ya want for nothing?", app_secret("Jefe")) == known


@given(body=st.binary(max_size=200))
@settings(max_examples=30)
def test_either_secret_is_recognised(body: bytes) -> None:
    for secret in (OLD, NEW):
        assert verify_body(body, sign_body(body, secret), (NEW, OLD)) is secret
        others = tuple(each for each in (OLD, NEW) if each is not secret)
        with pytest.raises(SignatureError):
            verify_body(body, sign_body(body, secret), others)


def test_every_secret_is_tried_whatever_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[bytes] = []
    original = mac.sha256

    def spy(key: bytes, data: bytes) -> bytes:
        calls.append(key)
        return original(key, data)

    headers = (sign_body(b"x", OLD), sign_body(b"x", NEW), "", None)
    monkeypatch.setattr(mac, "sha256", spy)
    for header in headers:
        calls.clear()
        try:
            verify_body(b"x", header, (NEW, OLD))
        except SignatureError:
            assert not header
        assert calls == [b"new-secret", b"old-secret"]


def _jwt(claims: Any, secret: KeyVersion = NEW, *, algorithm: str = "HS256") -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return jwt.encode(claims, secret.text, algorithm=algorithm)


def _parts(header: Any, claims: Any, secret: KeyVersion = NEW) -> str:
    """Return a JWT of any header and claims with a right HS256 signature."""
    first, second = (
        base64_text.encode_url(part if isinstance(part, bytes) else json.dumps(part).encode())
        for part in (header, claims)
    )
    signature = mac.sha256(secret.text.encode(), f"{first}.{second}".encode())
    return f"{first}.{second}.{base64_text.encode_url(signature)}"


def test_a_signed_flow_token_is_an_ordinary_jwt() -> None:
    signature = sign_flow_token("ft-1", NEW)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        claims = jwt.decode(signature, NEW.text, algorithms=["HS256"])
    assert claims == {"flow_token": "ft-1"}
    assert jwt.get_unverified_header(signature) == {"alg": "HS256", "typ": "JWT"}


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_a_flow_token_jwt_of_either_secret_passes(secret: KeyVersion) -> None:
    signature = sign_flow_token("ft-1", secret)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert verify_flow_token(signature, "ft-1", (NEW, OLD), now=NOW) is secret


@pytest.mark.parametrize(
    "claims",
    [
        {"flow_token": "ft-1"},
        {"flow_token": "ft-1", "iat": 1},
        {"flow_token": "ft-1", "exp": NOW + 1},
        {"flow_token": "ft-1", "exp": int(NOW) + 1, "aud": "someone", "nbf": int(NOW) + 9},
        {"token": "ft-1"},
    ],
)
def test_claims_that_vouch(claims: Any) -> None:
    assert verify_flow_token(_jwt(claims), "ft-1", (NEW,), now=NOW) is NEW


@pytest.mark.parametrize(
    "signature",
    [
        _jwt({"flow_token": "ft-2"}),
        _jwt({"flow_token": ["ft-1"]}),
        _jwt({}),
        _jwt({"flow_token": "ft-1", "exp": NOW}),
        _jwt({"flow_token": "ft-1", "exp": int(NOW) - 1}),
        _parts({"alg": "HS256"}, {"flow_token": "ft-1", "exp": "9999999999"}),
        _parts({"alg": "HS256"}, {"flow_token": "ft-1", "exp": True}),
        _jwt({"flow_token": "ft-1"}, app_secret("another-secret")),
        _jwt({"flow_token": "ft-1"}, algorithm="HS384"),
        _jwt({"flow_token": "ft-1"}, algorithm="HS512"),
        jwt.encode({"flow_token": "ft-1"}, "", algorithm="none"),
        _parts({"alg": "none"}, {"flow_token": "ft-1"}),
        _parts({"alg": "hs256"}, {"flow_token": "ft-1"}),
        _parts({"alg": ["HS256"]}, {"flow_token": "ft-1"}),
        _parts({}, {"flow_token": "ft-1"}),
        _parts([], {"flow_token": "ft-1"}),
        _parts({"alg": "HS256", "crit": ["exp"]}, {"flow_token": "ft-1"}),
        _parts({"alg": "HS256", "b64": False, "crit": ["b64"]}, {"flow_token": "ft-1"}),
        _parts({"alg": "HS256"}, ["ft-1"]),
        _parts({"alg": "HS256"}, b'{"flow_token":"ft-2","flow_token":"ft-1"}'),
        _parts({"alg": "HS256"}, b"\xff"),
        _parts({"alg": "HS256"}, b"[" * 3000),
        _parts(b"[" * 700, {"flow_token": "ft-1"}),
        _parts({"alg": "HS256"}, {"flow_token": "ft-1"})[:-1],
        _parts({"alg": "HS256"}, {"flow_token": "ft-1"}) + "=",
        _parts({"alg": "HS256"}, {"flow_token": "ft-1"}) + "\n",
        "",
        "..",
        "a.b.c",
        "\ud800.a.b",
        None,
        1,
        {},
        b"bytes",
    ],
)
def test_signatures_that_do_not_vouch(signature: Any) -> None:
    with pytest.raises(SignatureError) as caught:
        verify_flow_token(signature, "ft-1", (NEW, OLD), now=NOW)
    assert caught.value.code == "bad_token_signature"


def test_a_flow_token_needs_a_secret() -> None:
    with pytest.raises(SignatureError):
        verify_flow_token(sign_flow_token("ft-1", NEW), "ft-1", (), now=NOW)


@pytest.mark.parametrize("text", ["ssh-ed25519", "-----BEGIN-PUBLIC-KEY-----", "x" * 128])
def test_an_app_secret_of_any_text_signs_and_verifies(text: str) -> None:
    secret = app_secret(text)
    assert verify_flow_token(sign_flow_token("ft", secret), "ft", (secret,), now=NOW) is secret


@given(signature=st.text(max_size=200), token=st.text(max_size=20))
@settings(max_examples=60)
def test_no_text_raises_anything_but_a_signature_error(signature: str, token: str) -> None:
    with pytest.raises(SignatureError):
        verify_flow_token(signature, token, (NEW,), now=NOW)


VERIFY = KeyVersion("v-2", "verify_token", 2, "verify-me-please")
OLD_VERIFY = KeyVersion("v-1", "verify_token", 1, "verified-before")
QUERY = {
    "hub.mode": "subscribe",
    "hub.verify_token": "verify-me-please",
    "hub.challenge": "1158201444",
}


@pytest.mark.parametrize("token", [VERIFY, OLD_VERIFY])
def test_a_challenge_is_echoed_for_either_token(token: KeyVersion) -> None:
    query = QUERY | {"hub.verify_token": token.text}
    assert answer_challenge(query, (VERIFY, OLD_VERIFY)) == ("1158201444", token)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"hub.verify_token": "wrong"}, AuthenticationError),
        ({"hub.verify_token": ""}, AuthenticationError),
        ({"hub.verify_token": "verify-me-please "}, AuthenticationError),
        ({"hub.mode": "unsubscribe"}, EnvelopeError),
        ({"hub.mode": ""}, EnvelopeError),
        ({"hub.challenge": ""}, EnvelopeError),
        ({"hub.challenge": "a b"}, EnvelopeError),
        ({"hub.challenge": "a\nb"}, EnvelopeError),
        ({"hub.challenge": "é"}, EnvelopeError),
        ({"hub.challenge": "1" * 257}, EnvelopeError),
    ],
)
def test_a_wrong_challenge_is_refused(changes: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        answer_challenge(QUERY | changes, (VERIFY,))


@pytest.mark.parametrize("name", sorted(QUERY))
def test_a_challenge_with_a_missing_parameter_is_refused(name: str) -> None:
    query = {key: value for key, value in QUERY.items() if key != name}
    with pytest.raises((AuthenticationError, EnvelopeError)):
        answer_challenge(query, (VERIFY,))


def test_without_a_verify_token_no_challenge_is_answered() -> None:
    with pytest.raises(AuthenticationError):
        answer_challenge(QUERY | {"hub.verify_token": ""}, ())
