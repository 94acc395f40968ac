"""Signed documents: the exact form, and that nothing else verifies."""

from __future__ import annotations

import base64
import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crypto_schemes.ciphers import rsa
from crypto_schemes.errors import KeyUnavailableError, SealError, SignatureError
from crypto_schemes.flynn.documents import sign, verify
from crypto_schemes.keys import Credentials
from tests.crypto_schemes.flynn_partner import another_2048, server

DOCUMENT = {"Irn": "ab" * 32, "TotInvVal": 12.5, "Nm": "Žofie"}


def part(signed: str, at: int) -> object:
    text = signed.split(".")[at]
    value: object = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return value


def test_the_form(rsa_2048: RSAPrivateKey) -> None:
    signed = sign(DOCUMENT, "sandbox", server(rsa_2048))
    assert part(signed, 0) == {"alg": "RS256", "kid": rsa.spki_fingerprint(rsa_2048), "typ": "JWT"}
    assert part(signed, 1) == {
        "data": json.dumps(DOCUMENT, ensure_ascii=False, separators=(",", ":")),
        "iss": "sandbox",
    }
    assert verify(signed, rsa_2048.public_key()) == DOCUMENT


def test_the_same_document_signs_the_same(rsa_2048: RSAPrivateKey) -> None:
    assert sign(DOCUMENT, "s", server(rsa_2048)) == sign(DOCUMENT, "s", server(rsa_2048))


def test_nothing_else_verifies(rsa_2048: RSAPrivateKey) -> None:
    public = rsa_2048.public_key()
    signed = sign(DOCUMENT, "sandbox", server(rsa_2048))
    head, payload, signature = signed.split(".")
    other = sign({"Irn": "cd" * 32}, "sandbox", server(rsa_2048)).split(".")[1]
    pem = rsa.public_pem(public)
    # The public key as an HMAC secret: the old confusion of algorithms.
    confused = jwt.api_jws.PyJWS().encode(b'{"data":"1"}', b"k" * 32, algorithm="HS256")
    candidates = [
        "",
        "a.b",
        head + "." + payload + ".",
        head + "." + other + "." + signature,
        head + "." + payload + "." + signature[:-4] + "AAAA",
        sign(DOCUMENT, "sandbox", server(another_2048())),
        confused,
        jwt.encode({"data": "1"}, None, algorithm="none") + "AA",  # type: ignore[arg-type]
        jwt.encode({"data": 1}, rsa_2048, algorithm="RS256"),
        jwt.encode({"data": "{"}, rsa_2048, algorithm="RS256"),
        jwt.encode({"other": "1"}, rsa_2048, algorithm="RS256"),
        jwt.encode({"data": "1"}, rsa_2048, algorithm="RS512"),
        jwt.encode({"data": "1"}, rsa_2048, algorithm="PS256"),
        pem,
    ]
    for candidate in candidates:
        with pytest.raises(SignatureError):
            verify(candidate, public)


def test_what_cannot_be_signed(rsa_2048: RSAPrivateKey) -> None:
    with pytest.raises(SealError):
        sign({"x": float("inf")}, "s", server(rsa_2048))
    with pytest.raises(KeyUnavailableError):
        sign({}, "s", Credentials())
