"""Kairos: an outbound-call API whose requests travel under a hybrid of RSA and AES.

Source: the vendor's public documentation and its published sample, recomputed.

A sealed request is ``{"requestEncryptedValue", "requestDigitalSignatureValue", "flow-id"}``:

1. ``P`` is base64 of the UTF-8 JSON; the client picks any key string and ``K`` is its base64;
2. the AES key is the first 16 bytes of SHA-256 over the ASCII of ``K``;
3. ``requestEncryptedValue`` is base64 of AES-128-ECB with PKCS#7 over the ASCII of ``P``;
4. ``requestDigitalSignatureValue`` is base64 of RSA over the ASCII of ``K``. It is a wrapped
   key and, whatever its name says, no signature.

Replies are plain JSON. The public key is no secret, so a request that opens proves nothing
about who sent it: that is what :func:`authenticate` (``flow-id`` and ``security-id``) is for.

Whatever fails between the outer base64 and the innermost JSON brace costs one RSA operation,
one AES pass, one base64 decoding and one JSON parse for each accepted key version, and ends
in one :class:`~crypto_schemes.errors.OpenError`.
"""

from crypto_schemes.kairos.authentication import FLOW_ID, SECURITY_ID, authenticate
from crypto_schemes.kairos.envelope import (
    KairosEnvelope,
    decrypt_value,
    encrypt_value,
    read_envelope,
    read_plain,
)
from crypto_schemes.kairos.options import KairosOptions
from crypto_schemes.kairos.scheme import CALLBACK_PASSWORD, RSA_KEY, SCHEME, KairosScheme

__all__ = [
    "CALLBACK_PASSWORD",
    "FLOW_ID",
    "RSA_KEY",
    "SCHEME",
    "SECURITY_ID",
    "KairosEnvelope",
    "KairosOptions",
    "KairosScheme",
    "authenticate",
    "decrypt_value",
    "encrypt_value",
    "read_envelope",
    "read_plain",
]
