"""The REK session of Flynn: one AES key, mode and IV for the sensitive values of a request.

A sensitive value is the base64 of AES-ECB or AES-CBC (NIST SP 800-38A), PKCS#7 padding
(RFC 5652 §6.3), over UTF-8 text. In CBC the IV is not prepended: it travels once, in a
header of its own, and serves every value of the request and the echo of the reply.
"""

from __future__ import annotations

import binascii
import hashlib
import re
import secrets
from dataclasses import dataclass, field
from enum import StrEnum

from crypto_schemes import base64_text
from crypto_schemes.base64_text import Base64TextError
from crypto_schemes.ciphers import aes
from crypto_schemes.errors import KeyMaterialError, SealError
from crypto_schemes.flynn.options import IVEncoding, RekEncoding

#: Sizes of an AES key in bytes.
KEY_SIZES = (16, 24, 32)

#: A REK that is its own AES key: printable text, of whatever script.
_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f-\x9f]*")


class Mode(StrEnum):
    """What ``X-FLYNN-N-AES-ENCRYPTION-MODE`` may say; ECB when it is not sent."""

    ECB = "ECB"
    CBC = "CBC"


@dataclass(frozen=True, slots=True)
class Session:
    """An AES key of 16, 24 or 32 bytes with its mode and, in CBC, an IV of 16 bytes.

    Raises KeyMaterialError for other sizes. May be used for many requests: the contract
    lets a client keep its REK.
    """

    key: bytes = field(repr=False)
    mode: Mode = Mode.ECB
    iv: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        if len(self.key) not in KEY_SIZES:
            raise KeyMaterialError("A REK must stand for 16, 24 or 32 bytes.")
        if len(self.iv) != (aes.BLOCK if self.mode is Mode.CBC else 0):
            raise KeyMaterialError("CBC needs an IV of 16 bytes and ECB has none.")

    @classmethod
    def fresh(cls, mode: Mode = Mode.ECB, *, size: int = 32) -> Session:
        """Return a session with a random key of ``size`` bytes and, in CBC, a random IV."""
        iv = secrets.token_bytes(aes.BLOCK) if mode is Mode.CBC else b""
        return cls(secrets.token_bytes(size), mode, iv)

    def seal(self, text: str) -> str:
        """Return the sensitive value of ``text``. Raises SealError for half a surrogate pair."""
        try:
            data = text.encode("utf-8")
        except UnicodeEncodeError:
            raise SealError("A sensitive value holds half a surrogate pair.") from None
        if self.mode is Mode.CBC:
            return base64_text.encode(aes.cbc_encrypt(self.key, self.iv, data))
        return base64_text.encode(aes.ecb_encrypt(self.key, data))

    def open(self, value: str) -> str | None:
        """Return the text of a sensitive value, or None for one that does not open.

        Whatever is wrong, AES and UTF-8 decoding are done first (on the un-stripped text
        where the padding is wrong, on a stand-in where there is no cipher text).
        """
        data = _ciphertext(value)
        given = data or bytes(aes.BLOCK)
        if self.mode is Mode.CBC:
            padded, plain = aes.cbc_decrypt(self.key, self.iv, given)
        else:
            padded, plain = aes.ecb_decrypt(self.key, given)
        try:
            text = plain.decode("utf-8")
        except UnicodeDecodeError:
            return None
        return text if padded and data else None


def _ciphertext(value: str) -> bytes | None:
    try:
        data = base64_text.decode_any(value, white_space=True)
    except Base64TextError:
        return None
    return data if data and len(data) % aes.BLOCK == 0 else None


def write_rek(key: bytes, encoding: RekEncoding) -> bytes:
    """Return the text that stands for ``key`` inside ``X-FLYNN-S-REK``.

    Raises SealError where ``key`` has no such text (utf8 needs printable UTF-8).
    """
    if encoding == "hex":
        return key.hex().encode("ascii")
    if encoding == "base64":
        return base64_text.encode(key).encode("ascii")
    if read_rek(key, encoding) is None:
        raise SealError("The AES key is not printable text, which rek_encoding utf8 needs.")
    return key


def read_rek(text: bytes, encoding: RekEncoding) -> bytes | None:
    """Return the AES key that ``text`` stands for, or None when it stands for none."""
    key: bytes
    try:
        if encoding == "hex":
            key = binascii.unhexlify(text)
        elif encoding == "base64":
            key = base64_text.decode(text)
        else:
            key = text if _PRINTABLE.fullmatch(text.decode("utf-8")) else b""
    except ValueError:
        return None
    return key if len(key) in KEY_SIZES else None


def write_iv(iv: bytes, encoding: IVEncoding) -> bytes:
    """Return the text that stands for ``iv`` inside ``X-FLYNN-S-IV``; raw for ``any``."""
    if encoding == "hex":
        return iv.hex().encode("ascii")
    if encoding == "base64":
        return base64_text.encode(iv).encode("ascii")
    return iv


def read_iv(text: bytes, encoding: IVEncoding) -> bytes:
    """Return the 16 bytes that ``text`` stands for: raw, base64 or hex, told by its length.

    A text that stands for no IV gives 16 bytes that nobody can predict from it and that
    are always the same for it. Whether an RSA block held an IV is nothing a sender may
    learn: 16 bytes of any value pass for one, so a plain yes or no would be an oracle of
    a kind that breaks PKCS#1 v1.5. A block without an IV thus behaves in every respect
    like one with a wrong IV.
    """
    otherwise = hashlib.sha256(text).digest()[: aes.BLOCK]
    iv = b""
    try:
        if len(text) == 16 and encoding in ("any", "raw"):
            iv = text
        elif len(text) == 24 and encoding in ("any", "base64"):
            iv = base64_text.decode(text)
        elif len(text) == 32 and encoding in ("any", "hex"):
            iv = binascii.unhexlify(text)
    except ValueError:
        return otherwise
    return iv if len(iv) == aes.BLOCK else otherwise
