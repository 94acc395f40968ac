"""Requests that must not open, each with the error they meet."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crypto_schemes import base64_text
from crypto_schemes.ciphers import aes
from crypto_schemes.envelope import SealedRequest
from crypto_schemes.errors import AuthenticationError, EnvelopeError, SchemeError
from crypto_schemes.flynn import RekError, SensitiveValueError, Session
from tests.crypto_schemes.flynn_partner import (
    CBC,
    ECB,
    IV,
    NOW,
    ORG,
    REK,
    SIGNING_KEY,
    another_2048,
    raw_block,
    request,
    token,
    wrap,
)

Case = tuple[Callable[[RSAPrivateKey], SealedRequest], type[SchemeError], str]
REK_TEXT = REK.hex().encode()


def with_rek(text: bytes) -> Callable[[RSAPrivateKey], SealedRequest]:
    return lambda key: request(rek__s=wrap(key, text), irp_pwd__s=ECB.seal("pw"))


def with_rek_header(header: Callable[[RSAPrivateKey], str]) -> Callable[..., SealedRequest]:
    return lambda key: request(rek__s=header(key), irp_pwd__s=ECB.seal("pw"))


def with_value(value: str) -> Callable[[RSAPrivateKey], SealedRequest]:
    return lambda key: request(rek__s=wrap(key, REK_TEXT), irp_pwd__s=value)


def with_iv(iv: Callable[[RSAPrivateKey], str | None]) -> Callable[[RSAPrivateKey], SealedRequest]:
    return lambda key: request(
        rek__s=wrap(key, REK_TEXT),
        iv__s=iv(key),
        aes_encryption_mode="CBC",
        # One block: under a random IV both its padding and its UTF-8 would have to survive.
        irp_pwd__s=CBC.seal("a password"),
    )


def padded_as(start: bytes) -> Callable[[RSAPrivateKey], str]:
    """Return a block with ``start`` instead of 00 02 before a legal REK."""
    filling = b"\x55" * (256 - len(start) - 1 - len(REK_TEXT))
    return lambda key: raw_block(key, start + filling + b"\0" + REK_TEXT)


def not_padded(text: bytes) -> str:
    """Return whole blocks of ``text`` under the REK without the padding block."""
    return base64_text.encode(aes.ecb_encrypt(REK, text)[: len(text)])


def forged(key: bytes | None, algorithm: str, **changes: Any) -> str:
    claims = {
        "iss": "theodore",
        "sub": "u-1",
        "orgs": [ORG],
        "sid": "2",
        "jti": "1",
        "iat": int(NOW),
        "exp": int(NOW) + 600,
        "end": int(NOW) + 3600,
        "min": 10,
        **changes,
    }
    kept = {name: value for name, value in claims.items() if value is not ...}
    with warnings.catch_warnings(action="ignore"):  # the key is short for HS384 and HS512
        return jwt.encode(kept, key, algorithm=algorithm)  # type: ignore[arg-type]


def by(user_token: str | None) -> Callable[[RSAPrivateKey], SealedRequest]:
    return lambda _: request(user_token=user_token, irp_pwd__s="?")


TRUNCATED = ECB.seal("a" * 40)[:43] + "="
FAILURES: dict[str, Case] = {
    # who
    "no organisation": (lambda _: request(org_id=None), AuthenticationError, "org"),
    "empty organisation": (lambda _: request(org_id=""), AuthenticationError, "org"),
    "another organisation": (
        lambda _: request(org_id=ORG.replace("3", "4")),
        AuthenticationError,
        "org",
    ),
    "a user of another organisation": (
        lambda _: request(user_token=token("another")),
        AuthenticationError,
        "org",
    ),
    "no token": (by(None), AuthenticationError, "token_missing"),
    "empty token": (by(""), AuthenticationError, "token_missing"),
    "no JWT": (by("abc"), AuthenticationError, "token_invalid"),
    "two parts": (by("abc.def"), AuthenticationError, "token_invalid"),
    "endless token": (by("a" * 5000 + ".b.c"), AuthenticationError, "token_invalid"),
    "Bearer before it": (by("Bearer " + token()), AuthenticationError, "token_invalid"),
    "a broken signature": (by(token()[:-3] + "AAA"), AuthenticationError, "token_invalid"),
    "another's key": (by(forged(b"k" * 32, "HS256")), AuthenticationError, "token_invalid"),
    "alg none": (by(forged(None, "none") + "AA"), AuthenticationError, "token_invalid"),
    "alg HS512": (by(forged(SIGNING_KEY, "HS512")), AuthenticationError, "token_invalid"),
    "alg HS384": (by(forged(SIGNING_KEY, "HS384")), AuthenticationError, "token_invalid"),
    "another issuer": (
        by(forged(SIGNING_KEY, "HS256", iss="someone")),
        AuthenticationError,
        "token_invalid",
    ),
    "no subject": (by(forged(SIGNING_KEY, "HS256", sub=...)), AuthenticationError, "token_invalid"),
    "no session": (by(forged(SIGNING_KEY, "HS256", sid=...)), AuthenticationError, "token_invalid"),
    "no end": (by(forged(SIGNING_KEY, "HS256", end=...)), AuthenticationError, "token_invalid"),
    "orgs a text": (
        by(forged(SIGNING_KEY, "HS256", orgs=ORG)),
        AuthenticationError,
        "token_invalid",
    ),
    "orgs of numbers": (
        by(forged(SIGNING_KEY, "HS256", orgs=[1])),
        AuthenticationError,
        "token_invalid",
    ),
    "a fraction as expiry": (
        by(forged(SIGNING_KEY, "HS256", exp=NOW + 0.5)),
        AuthenticationError,
        "token_invalid",
    ),
    "expired": (by(token(now=NOW - 20 * 60)), AuthenticationError, "token_expired"),
    "expired and another's": (
        by(forged(b"k" * 32, "HS256", exp=1)),
        AuthenticationError,
        "token_invalid",
    ),
    # form
    "another mode": (lambda _: request(aes_encryption_mode="GCM"), EnvelopeError, "mode"),
    "empty mode": (lambda _: request(aes_encryption_mode=""), EnvelopeError, "mode"),
    "a plain header beyond ASCII": (
        lambda _: request(irp_username="Ren\xe9"),
        EnvelopeError,
        "header",
    ),
    "a plain header with a NUL": (lambda _: request(irp_username="a\0b"), EnvelopeError, "header"),
    "half a surrogate pair": (
        lambda _: request(irp_username="\ud800"),
        EnvelopeError,
        "header",
    ),
    "a nameless sensitive header": (lambda _: request(__s="x"), EnvelopeError, "header"),
    "too many sensitive headers": (
        lambda key: request(
            b"", rek__s=wrap(key, REK_TEXT), **dict.fromkeys([f"v{at}__s" for at in range(16)], "x")
        ),
        EnvelopeError,
        "header",
    ),
    "body not JSON": (lambda _: request(b"{"), EnvelopeError, "body"),
    "body not UTF-8": (lambda _: request(b'"\xff"'), EnvelopeError, "body"),
    "a member twice": (lambda _: request(b'{"a":1,"a":2}'), EnvelopeError, "body"),
    "too deep": (lambda _: request(b"[" * 65 + b"]" * 65), EnvelopeError, "body"),
    "two bodies": (lambda _: request(b'1,"sensitive":{}'), EnvelopeError, "body"),
    # REK
    "no REK": (lambda _: request(irp_pwd__s=ECB.seal("pw")), RekError, "rek_missing"),
    "empty REK": (with_rek_header(lambda _: ""), RekError, "rek"),
    "REK not base64": (with_rek_header(lambda _: "*" * 344), RekError, "rek"),
    "REK beyond ASCII": (with_rek_header(lambda _: "é" * 344), RekError, "rek"),
    "REK block too short": (
        with_rek_header(lambda key: wrap(key, REK_TEXT)[:-4]),
        RekError,
        "rek",
    ),
    "REK block too long": (
        with_rek_header(lambda key: "AAAA" + wrap(key, REK_TEXT)),
        RekError,
        "rek",
    ),
    "REK block above the modulus": (
        with_rek_header(lambda _: base64_text.encode(b"\xff" * 256)),
        RekError,
        "rek",
    ),
    "REK block of zeros": (
        with_rek_header(lambda _: base64_text.encode(bytes(256))),
        RekError,
        "rek",
    ),
    "REK for another key": (
        with_rek_header(lambda _: wrap(another_2048(), REK_TEXT)),
        RekError,
        "rek",
    ),
    "REK wrapped with OAEP": (
        with_rek_header(lambda key: wrap(key, REK_TEXT, "oaep_sha256")),
        RekError,
        "rek",
    ),
    "REK in a block of type 1": (with_rek_header(padded_as(b"\0\x01")), RekError, "rek"),
    "REK in a block that starts otherwise": (
        with_rek_header(padded_as(b"\x01\x02")),
        RekError,
        "rek",
    ),
    "REK block without the zero": (
        with_rek_header(lambda key: raw_block(key, b"\0\x02" + b"\x55" * 254)),
        RekError,
        "rek",
    ),
    "REK of raw bytes": (with_rek(REK), RekError, "rek"),
    "REK of 31 digits": (with_rek(REK_TEXT[:31]), RekError, "rek"),
    "REK of 62 digits": (with_rek(REK_TEXT[:62]), RekError, "rek"),
    "REK of 66 digits": (with_rek(REK_TEXT + b"00"), RekError, "rek"),
    "REK with a blank inside": (with_rek(REK_TEXT[:31] + b" "), RekError, "rek"),
    "REK not hex": (with_rek(b"g" * 32), RekError, "rek"),
    "REK empty inside": (with_rek(b""), RekError, "rek"),
    "a broken REK and nothing under it": (
        lambda key: request(rek__s=wrap(key, b"g" * 32)),
        RekError,
        "rek",
    ),
    # values
    "value empty": (with_value(""), SensitiveValueError, "value"),
    "value not base64": (with_value("not base64!"), SensitiveValueError, "value"),
    "value beyond ASCII": (with_value("é"), SensitiveValueError, "value"),
    "value of one byte": (with_value("AA=="), SensitiveValueError, "value"),
    "value truncated": (with_value(TRUNCATED), SensitiveValueError, "value"),
    "value extended": (
        with_value(base64_text.encode(base64_text.decode(ECB.seal("pw")) + b"\0")),
        SensitiveValueError,
        "value",
    ),
    "value under another key": (
        with_value(Session(bytes(16)).seal("pw")),
        SensitiveValueError,
        "value",
    ),
    "value under CBC": (
        with_value(CBC.seal("a password longer than one block")),
        SensitiveValueError,
        "value",
    ),
    "value without padding": (with_value(not_padded(b"A" * 32)), SensitiveValueError, "value"),
    "value padded with zeros": (
        with_value(not_padded(b"pw" + bytes(14))),
        SensitiveValueError,
        "value",
    ),
    "value padded with 17": (
        with_value(not_padded(b"\x11" * 32)),
        SensitiveValueError,
        "value",
    ),
    "value not UTF-8": (
        with_value(base64_text.encode(aes.ecb_encrypt(REK, b"\xff\xfe"))),
        SensitiveValueError,
        "value",
    ),
    "one of two values": (
        lambda key: request(
            rek__s=wrap(key, REK_TEXT), data__s=ECB.seal("fine"), irp_pwd__s="AAAA"
        ),
        SensitiveValueError,
        "value",
    ),
    # IV
    "no IV": (with_iv(lambda _: None), SensitiveValueError, "iv_missing"),
    "no IV and nothing encrypted": (
        lambda key: request(rek__s=wrap(key, REK_TEXT), aes_encryption_mode="CBC"),
        SensitiveValueError,
        "iv_missing",
    ),
    "IV not base64": (with_iv(lambda _: "*"), SensitiveValueError, "value"),
    "IV not wrapped": (
        with_iv(lambda _: base64_text.encode(IV)),
        SensitiveValueError,
        "value",
    ),
    "IV of 15 bytes": (with_iv(lambda key: wrap(key, IV[:15])), SensitiveValueError, "value"),
    "IV of 24 bytes": (
        with_iv(lambda key: wrap(key, b"*" * 24)),
        SensitiveValueError,
        "value",
    ),
    "IV of 32 bytes": (
        with_iv(lambda key: wrap(key, b"g" * 32)),
        SensitiveValueError,
        "value",
    ),
    "IV wrapped with OAEP": (
        with_iv(lambda key: wrap(key, IV, "oaep_sha1")),
        SensitiveValueError,
        "value",
    ),
    "another IV": (
        with_iv(lambda key: wrap(key, bytes(byte ^ 0x80 for byte in IV))),
        SensitiveValueError,
        "value",
    ),
}
