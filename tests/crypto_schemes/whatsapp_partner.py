"""The platform's side of a WhatsApp flow, for the tests of the scheme."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crypto_schemes import base64_text
from crypto_schemes.ciphers import aes, rsa
from crypto_schemes.envelope import SealedRequest
from crypto_schemes.keys import Credentials, KeyVersion
from crypto_schemes.whatsapp_flows.options import WhatsAppFlowsOptions
from crypto_schemes.whatsapp_flows.signatures import sign_body

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "vectors" / "whatsapp_flows.json").read_text("utf-8")
)
OPTIONS = WhatsAppFlowsOptions()
SECRET_TEXT = "9f2c41d07be85a3360e1c4b7d8f90a52"
#: A Flow JSON of three screens, and of every type of data.
DEFINITION: dict[str, Any] = {
    "version": "7.3",
    "data_api_version": "4.0",
    "routing_model": {"FIRST": ["SECOND"], "SECOND": ["THIRD"], "THIRD": []},
    "screens": [
        {"id": "FIRST", "title": "First", "layout": {}},
        {
            "id": "SECOND",
            "data": {
                "when": {"type": "string", "__example__": "now"},
                "price": {"type": "number", "__example__": 1},
                "open": {"type": "boolean", "__example__": True},
                "slots": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"id": {"type": "string"}, "enabled": {"type": "boolean"}},
                        "required": ["id"],
                    },
                    "__example__": [],
                },
            },
        },
        {"id": "THIRD", "terminal": True, "data": {"count": {"type": "integer"}}},
    ],
}
KEY, IV = bytes(range(16)), bytes(range(100, 116))


def app_secret(text: str = SECRET_TEXT, version: int = 1) -> KeyVersion:
    return KeyVersion(f"secret-{version}", "app_secret", version, text)


def rsa_version(key: RSAPrivateKey, version: int = 1) -> KeyVersion:
    return KeyVersion(f"rsa-{version}", "whatsapp_rsa", version, key)


def credentials(*keys: RSAPrivateKey, secrets: tuple[KeyVersion, ...] | None = None) -> Credentials:
    """Return credentials whose first key and first secret are the newest versions."""
    return Credentials(
        versions={
            "whatsapp_rsa": tuple(
                rsa_version(key, len(keys) - index) for index, key in enumerate(keys)
            ),
            "app_secret": (app_secret(),) if secrets is None else secrets,
        }
    )


def wire(key: RSAPrivateKey, raw: bytes, **changes: Any) -> dict[str, Any]:
    """Return the outer object for the plaintext ``raw``; ``changes`` replace members."""
    return {
        "encrypted_flow_data": base64_text.encode(aes.gcm_encrypt(KEY, IV, raw)),
        "encrypted_aes_key": base64_text.encode(
            rsa.encrypt(key.public_key(), KEY, rsa.RSAPadding.OAEP_SHA256)
        ),
        "initial_vector": base64_text.encode(IV),
    } | changes


def signed(body: bytes, secret: KeyVersion | None = None) -> SealedRequest:
    """Return ``body`` as a request with a right signature."""
    return SealedRequest(
        body=body, headers={"x-hub-signature-256": sign_body(body, secret or app_secret())}
    )


def sealed(key: RSAPrivateKey, payload: Any, **changes: Any) -> SealedRequest:
    """Return a signed request for ``payload``; ``changes`` replace outer members."""
    return signed(json.dumps(wire(key, json.dumps(payload).encode(), **changes)).encode())
