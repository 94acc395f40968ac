"""Signed documents of Flynn's e-invoices: a JSON Web Signature (RFC 7515), RS256.

``SignedInvoice`` and ``SignedQRCode`` are compact JWS texts whose payload is
``{"data": "<JSON text>", "iss": …}``: the document is a string inside, so that whoever
verifies it gets back the very text that was signed.
"""

from __future__ import annotations

import re

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from crypto_schemes import json_text
from crypto_schemes.ciphers import rsa
from crypto_schemes.errors import SignatureError
from crypto_schemes.json_text import JSONTextError, JSONValue
from crypto_schemes.keys import Credentials
from crypto_schemes.scheme import write_json

DOCUMENT_SIGNING = "document_signing"

_ALGORITHM = "RS256"
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


def sign(document: JSONValue, issuer: str, credentials: Credentials) -> str:
    """Return the compact JWS of ``document``; its ``kid`` is the key's SPKI SHA-256.

    Raises SealError for what JSON cannot say, KeyUnavailableError without an active key.
    """
    key = credentials.active(DOCUMENT_SIGNING).rsa_private
    payload = {"data": write_json(document).decode("utf-8"), "iss": issuer}
    return jwt.encode(
        payload, key, algorithm=_ALGORITHM, headers={"kid": rsa.spki_fingerprint(key)}
    )


def verify(signed: str, key: RSAPublicKey) -> JSONValue:
    """Return the document inside a compact JWS signed with the private half of ``key``.

    Raises SignatureError for anything else.
    """
    if _FORM.fullmatch(signed):
        try:
            payload = jwt.decode(
                signed,
                key,
                algorithms=[_ALGORITHM],
                options={
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                    "verify_aud": False,
                },
            )
            return json_text.parse(payload["data"].encode("utf-8"))
        except (
            jwt.PyJWTError,
            JSONTextError,
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
            RecursionError,
        ):
            pass
    raise SignatureError("The document is not signed by this key.")
