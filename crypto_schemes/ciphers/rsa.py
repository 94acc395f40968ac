"""RSA key pairs and RSA encryption (RFC 8017), as the contracts use it."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from functools import cache

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding as asymmetric_padding
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import AsymmetricPadding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from crypto_schemes.errors import KeyMaterialError


class RSADecryptionError(ValueError):
    """The block could not be decrypted. Carries no detail on purpose."""


class RSAPadding(StrEnum):
    """Encryption paddings of RFC 8017 §7. OAEP uses one hash for digest and MGF1."""

    PKCS1V15 = "pkcs1v15"
    OAEP_SHA1 = "oaep_sha1"
    OAEP_SHA256 = "oaep_sha256"


@cache
def _padding(name: RSAPadding) -> AsymmetricPadding:
    if name is RSAPadding.PKCS1V15:
        return asymmetric_padding.PKCS1v15()
    digest: hashes.HashAlgorithm = (
        hashes.SHA1() if name is RSAPadding.OAEP_SHA1 else hashes.SHA256()  # noqa: S303
    )
    return asymmetric_padding.OAEP(
        mgf=asymmetric_padding.MGF1(digest), algorithm=digest, label=None
    )


def generate(bits: int) -> RSAPrivateKey:
    """Return a new private key of ``bits`` with public exponent 65537."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def encrypt(key: RSAPublicKey, plaintext: bytes, padding: RSAPadding | str) -> bytes:
    """Return one RSA block of ``plaintext``. Raises ValueError when it is too long."""
    return key.encrypt(plaintext, _padding(RSAPadding(padding)))


def decrypt(key: RSAPrivateKey, block: bytes, padding: RSAPadding | str) -> bytes:
    """Return the plaintext of one RSA block.

    PKCS#1 v1.5 is decrypted with implicit rejection where the OpenSSL behind
    ``cryptography`` offers it (3.2 on): a wrongly padded block then yields
    unpredictable bytes instead of an error, so callers must go on with whatever
    comes back. Raises :class:`RSADecryptionError` for everything else.
    """
    try:
        return key.decrypt(block, _padding(RSAPadding(padding)))
    except ValueError:
        raise RSADecryptionError("the RSA block cannot be decrypted") from None


def modulus(key: RSAPrivateKey) -> bytes:
    """Return the modulus, big-endian, in as many bytes as the key's blocks have."""
    return key.public_key().public_numbers().n.to_bytes((key.key_size + 7) // 8)


def block_in_range(modulus: bytes, block: bytes) -> bool:
    """Return whether ``block`` has the modulus' length and a value below it.

    Any other block is refused without an RSA operation (RFC 8017 §7.1.2), which is much faster
    than the failures that come after one: a caller that owes every sender the same work has
    to make up for it. All of this is public: no key is needed to know it.
    """
    return len(block) == len(modulus) and block < modulus


def private_to_der(key: RSAPrivateKey) -> bytes:
    """Return the unencrypted PKCS#8 DER form (RFC 5958), for sealing at rest."""
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def load_private_der(der: bytes, *, trusted: bool) -> RSAPrivateKey:
    """Return the key of a PKCS#8 DER text; ``trusted`` skips the primality checks.

    Raises KeyMaterialError.
    """
    try:
        key = serialization.load_der_private_key(
            der, password=None, unsafe_skip_rsa_key_validation=trusted
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyMaterialError("The stored private key cannot be read.") from None
    if not isinstance(key, RSAPrivateKey):
        raise KeyMaterialError("The key is not an RSA key.")
    return key


def load_private_pem(pem: str | bytes, passphrase: bytes | None = None) -> RSAPrivateKey:
    """Return the fully checked key of a PEM text (PKCS#1 or PKCS#8).

    Raises KeyMaterialError with the reason in plain words.
    """
    data = pem.encode("utf-8") if isinstance(pem, str) else pem
    try:
        key = serialization.load_pem_private_key(data, password=passphrase)
    except TypeError:
        raise KeyMaterialError(
            "The passphrase does not fit: one is needed and missing, or given and not needed."
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise KeyMaterialError("The text is not a readable RSA private key in PEM form.") from None
    if not isinstance(key, RSAPrivateKey):
        raise KeyMaterialError("The key is not an RSA key.")
    return key


def load_public_pem(pem: str | bytes) -> RSAPublicKey:
    """Return the key of a SubjectPublicKeyInfo PEM text. Raises KeyMaterialError."""
    data = pem.encode("utf-8") if isinstance(pem, str) else pem
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise KeyMaterialError("The text is not a public key in PEM form.") from None
    if not isinstance(key, RSAPublicKey):
        raise KeyMaterialError("The key is not an RSA key.")
    return key


def public_pem(key: RSAPrivateKey | RSAPublicKey) -> str:
    """Return the public half as SubjectPublicKeyInfo PEM (RFC 7468 §13)."""
    return (
        _public(key)
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode("ascii")
    )


def public_exponent(key: RSAPrivateKey | RSAPublicKey) -> int:
    """Return the public exponent *e*."""
    return _public(key).public_numbers().e


def spki_fingerprint(key: RSAPrivateKey | RSAPublicKey) -> str:
    """Return SHA-256 of the SubjectPublicKeyInfo DER, 64 hex digits."""
    der = _public(key).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()


def _public(key: RSAPrivateKey | RSAPublicKey) -> RSAPublicKey:
    return key.public_key() if isinstance(key, RSAPrivateKey) else key
