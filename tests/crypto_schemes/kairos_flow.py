"""A Kairos flow and its partner, for the tests."""

from __future__ import annotations

import json
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crypto_schemes import base64_text
from crypto_schemes.ciphers import aes, rsa
from crypto_schemes.envelope import SealedRequest
from crypto_schemes.kairos import RSA_KEY, SECURITY_ID, KairosOptions, encrypt_value
from crypto_schemes.kairos.envelope import aes_key
from crypto_schemes.keys import Credentials, KeyVersion

NOW: Final = 1_800_000_000.0
FLOW: Final = "Kx92LmQ7"
SECURITY: Final = "5e" * 32
OPTIONS: Final = KairosOptions()
KEY_STRING: Final = "pq12rs34"


def rsa_version(key: RSAPrivateKey, version: int = 1) -> KeyVersion:
    return KeyVersion(id=f"rsa-{version}", purpose=RSA_KEY, version=version, material=key)


def security_version(text: str = SECURITY, version: int = 1) -> KeyVersion:
    return KeyVersion(id=f"sid-{version}", purpose=SECURITY_ID, version=version, material=text)


def server(*keys: RSAPrivateKey, tokens: tuple[str, ...] = (SECURITY,)) -> Credentials:
    """Return a flow's credentials; the first key is the newest and highest version."""
    return Credentials(
        identity={"flow_id": FLOW},
        versions={
            RSA_KEY: tuple(rsa_version(key, len(keys) - index) for index, key in enumerate(keys)),
            SECURITY_ID: tuple(
                security_version(text, len(tokens) - index) for index, text in enumerate(tokens)
            ),
        },
    )


def partner(key: RSAPrivateKey) -> Credentials:
    """Return what a partner holds: the public half only."""
    public = KeyVersion(id="public", purpose=RSA_KEY, version=1, material=key.public_key())
    return Credentials(identity={"flow_id": FLOW}, versions={RSA_KEY: (public,)})


def envelope(**changes: Any) -> SealedRequest:
    """Return an outer envelope with ``changes`` (None drops a member; ``flow`` is the flow-id)."""
    members: dict[str, Any] = {
        "requestEncryptedValue": changes.get("value", "AAAA"),
        "requestDigitalSignatureValue": changes.get("wrapped", "AAAA"),
        "flow-id": changes.get("flow", FLOW),
    }
    kept = {name: value for name, value in members.items() if value is not None}
    return SealedRequest(body=json.dumps(kept).encode())


def wrapped(key: RSAPrivateKey, encoded: bytes = b"cHExMnJzMzQ=", padding: str = "pkcs1v15") -> str:
    """Return ``encoded`` (base64 of KEY_STRING unless given) under the public half of ``key``."""
    return base64_text.encode(rsa.encrypt(key.public_key(), encoded, padding))


def value_of(text: bytes, encoded: bytes = b"cHExMnJzMzQ=") -> str:
    """Return ``text`` as it stands (no base64 step) under AES and PKCS#7."""
    return base64_text.encode(aes.ecb_encrypt(aes_key(encoded), text))


def unpadded_value(text: bytes, encoded: bytes = b"cHExMnJzMzQ=") -> str:
    """Return ``text`` of whole blocks under AES, without the padding block."""
    return base64_text.encode(aes.ecb_encrypt(aes_key(encoded), text)[: len(text)])


def good_value(raw: bytes) -> str:
    return encrypt_value(raw, KEY_STRING)
