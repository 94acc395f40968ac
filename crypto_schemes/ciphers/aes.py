"""AES in ECB, CBC (NIST SP 800-38A) and GCM (SP 800-38D), PKCS#7 padding (RFC 5652 §6.3)."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

#: AES block size in bytes.
BLOCK = 16
#: GCM tag size in bytes, as every contract here uses it.
TAG = 16


class AESDecryptionError(ValueError):
    """The cipher text has an impossible length or a wrong tag. Carries no detail."""


def pad(data: bytes) -> bytes:
    """Return ``data`` with PKCS#7 padding to a multiple of 16 bytes (always adds some)."""
    padder = padding.PKCS7(BLOCK * 8).padder()
    return padder.update(data) + padder.finalize()


def unpad(data: bytes) -> tuple[bool, bytes]:
    """Return whether the PKCS#7 padding is right, and the text.

    Where it is wrong the text is ``data`` whole, so that a caller can go on and do
    the same work on both paths before it answers (no padding oracle).
    """
    unpadder = padding.PKCS7(BLOCK * 8).unpadder()
    try:
        return True, unpadder.update(data) + unpadder.finalize()
    except ValueError:
        return False, data


def ecb_encrypt(key: bytes, plaintext: bytes) -> bytes:
    """Return AES-ECB over ``plaintext`` with PKCS#7 padding; key of 16, 24 or 32 bytes."""
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305
    return encryptor.update(pad(plaintext)) + encryptor.finalize()


def ecb_decrypt(key: bytes, ciphertext: bytes) -> tuple[bool, bytes]:
    """Return what :func:`unpad` returns for the AES-ECB plaintext.

    Raises AESDecryptionError when the length is not a positive multiple of 16.
    """
    return unpad(_decrypt(Cipher(algorithms.AES(key), modes.ECB()), ciphertext))  # noqa: S305


def cbc_encrypt(key: bytes, iv: bytes, plaintext: bytes) -> bytes:
    """Return AES-CBC with PKCS#7 padding; the 16-byte ``iv`` is not prepended."""
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return encryptor.update(pad(plaintext)) + encryptor.finalize()


def cbc_decrypt(key: bytes, iv: bytes, ciphertext: bytes) -> tuple[bool, bytes]:
    """Return what :func:`unpad` returns for the AES-CBC plaintext.

    Raises AESDecryptionError when the length is not a positive multiple of 16.
    """
    return unpad(_decrypt(Cipher(algorithms.AES(key), modes.CBC(iv)), ciphertext))


def gcm_encrypt(key: bytes, nonce: bytes, plaintext: bytes, aad: bytes | None = None) -> bytes:
    """Return AES-GCM cipher text with its 16-byte tag appended; nonce of 8 to 128 bytes."""
    return AESGCM(key).encrypt(nonce, plaintext, aad)


def gcm_decrypt(key: bytes, nonce: bytes, ciphertext: bytes, aad: bytes | None = None) -> bytes:
    """Return the AES-GCM plaintext. Raises AESDecryptionError for a wrong tag or length."""
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, aad)
    except (InvalidTag, ValueError):
        raise AESDecryptionError("the cipher text does not open") from None


def _decrypt(cipher: Cipher[modes.ECB] | Cipher[modes.CBC], ciphertext: bytes) -> bytes:
    if not ciphertext or len(ciphertext) % BLOCK:
        raise AESDecryptionError("the cipher text has an impossible length")
    decryptor = cipher.decryptor()
    return decryptor.update(ciphertext) + decryptor.finalize()
