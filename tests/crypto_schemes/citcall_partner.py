"""One CitCall flow and its partner, as the tests of this scheme see them."""

from __future__ import annotations

import base64
import json

from crypto_schemes import citcall
from crypto_schemes.envelope import SealedRequest
from crypto_schemes.json_text import JSONValue
from crypto_schemes.keys import Credentials, KeyVersion

NOW = 1_700_000_000.0
USERID = "partner01"
KEY = "00112233445566778899aabbccddeeff"
OLDER_KEY = "ffeeddccbbaa99887766554433221100"
OPTIONS = citcall.CitCallOptions()
PAYLOAD = {"msisdn": "081200000001", "gateway": 1, "clientUniqueId": "A-1"}


def credentials(*keys: str, userid: str = USERID) -> Credentials:
    """Return credentials whose API keys are ``keys``, the newest first."""
    versions = tuple(
        KeyVersion(id=f"key-{len(keys) - i}", purpose="api_key", version=len(keys) - i, material=k)
        for i, k in enumerate(keys)
    )
    return Credentials({"userid": userid}, {"api_key": versions})


CREDENTIALS = credentials(KEY)
ROTATING = credentials(KEY, OLDER_KEY)


def request(
    data: str, header: str | None = "", *, userid: str = USERID, key: str = KEY
) -> SealedRequest:
    """Return a request around ``data``; an empty ``header`` is replaced by the right one."""
    if header == "":
        header = base64.b64encode(f"{userid}:{key}".encode()).decode()
    headers = {} if header is None else {"authorization": header}
    return SealedRequest(body=json.dumps({"data": data}).encode(), headers=headers)


def data_of(text: str, *, now: float = NOW, key: str = KEY) -> str:
    """Return the ``data`` of JSON text as the flow's partner seals it."""
    return citcall.seal_text(text.encode(), USERID, key, now=now)


def enciphered(text: str, *, key: str = KEY) -> str:
    """Return ``data`` of any ASCII text, also of one no honest partner sends.

    Written after the contract's formula, one character at a time, and not after the product.
    """
    characters = [ord(character) for character in text]
    for secret in (USERID, key):
        characters = [
            (character + ord(secret[i % len(secret) - 1])) % 128
            for i, character in enumerate(characters)
        ]
    return base64.urlsafe_b64encode(bytes(characters)).rstrip(b"=").decode()


def sealed(payload: JSONValue = PAYLOAD, *, now: float = NOW) -> SealedRequest:
    """Return the partner's request with ``payload``."""
    return citcall.SCHEME.seal_request(payload, CREDENTIALS, OPTIONS, now=now)
