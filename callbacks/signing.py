"""Standard Webhooks signatures: the receiver can tell that a message is ours, whole and fresh.

``webhook-signature`` holds one ``v1,<base64>`` for each accepted version of the flow's secret,
separated by blanks, so that a receiver may change to a new secret at any time of a rollover. Each
is HMAC-SHA-256 of ``<webhook-id>.<webhook-timestamp>.<body>`` with the secret's bytes (base64
after ``whsec_``). Callbacks are signed with ``callback_signing``, which the partner has, and calls
to the company's own service with ``upstream_signing``, which the partner has not.

Source: the Standard Webhooks specification, sections "Webhook metadata" and "Signature scheme".
"""

from __future__ import annotations

from crypto_schemes import base64_text
from crypto_schemes.ciphers import mac
from crypto_schemes.errors import KeyUnavailableError
from crypto_schemes.keys import Credentials, PurposeSpec
from crypto_schemes.scheme import CALLBACK_SIGNING

ID = "webhook-id"
TIMESTAMP = "webhook-timestamp"
SIGNATURE = "webhook-signature"


def signatures(
    credentials: Credentials,
    message_id: str,
    timestamp: int,
    content: bytes,
    *,
    purpose: PurposeSpec = CALLBACK_SIGNING,
) -> str:
    """Return the signatures of ``content``, the sealing version's first.

    ``timestamp`` is Unix time in seconds. Raises KeyUnavailableError when there is no
    secret of ``purpose``: nothing leaves unsigned.
    """
    versions = credentials.accepted(purpose.name)
    if not versions:
        raise KeyUnavailableError(
            f"There is no {purpose.name} secret in force.", "Generate or promote one."
        )
    message = f"{message_id}.{timestamp}.".encode() + content
    return " ".join(
        "v1," + base64_text.encode(mac.sha256(_secret(version.text, purpose), message))
        for version in versions
    )


def headers(
    credentials: Credentials,
    message_id: str,
    timestamp: int,
    body: bytes,
    *,
    purpose: PurposeSpec = CALLBACK_SIGNING,
) -> dict[str, str]:
    """Return the three headers that sign ``body``. Raises KeyUnavailableError."""
    return {
        ID: message_id,
        TIMESTAMP: str(timestamp),
        SIGNATURE: signatures(credentials, message_id, timestamp, body, purpose=purpose),
    }


def _secret(text: str, purpose: PurposeSpec) -> bytes:
    return base64_text.decode_any(text.removeprefix(purpose.prefix))
