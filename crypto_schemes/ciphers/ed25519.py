"""Ed25519 signatures (RFC 8032)."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def sign(seed: bytes, data: bytes) -> bytes:
    """Return the 64-byte signature of ``data`` by the key with this 32-byte seed."""
    return Ed25519PrivateKey.from_private_bytes(seed).sign(data)


def is_signed(seed: bytes, data: bytes, signature: bytes) -> bool:
    """Return whether ``signature`` is one of ``data`` by the key with this 32-byte seed."""
    try:
        Ed25519PrivateKey.from_private_bytes(seed).public_key().verify(signature, data)
    except InvalidSignature:
        return False
    return True


def public_pem(seed: bytes) -> str:
    """Return the public half of the key with this 32-byte seed, as PEM (SPKI)."""
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")
