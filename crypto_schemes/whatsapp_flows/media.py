"""Pictures and documents a user attaches to a WhatsApp flow: check, decrypt and the reverse.

A file on the CDN is AES-256-CBC cipher text (PKCS#7) followed by the first 10 bytes
of HMAC-SHA-256 over IV and cipher text. The keys and the SHA-256 of both forms
travel inside the sealed request.

Source: Meta, "WhatsApp Flows: media upload components" (endpoint handling).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crypto_schemes import base64_text
from crypto_schemes.base64_text import Base64TextError
from crypto_schemes.ciphers import aes, mac
from crypto_schemes.errors import EnvelopeError, OpenError, SealError
from crypto_schemes.json_text import JSONValue

#: Largest file, in bytes of plaintext.
MAX_FILE = 25 * 1024 * 1024
#: Most files one component hands over.
MAX_FILES = 30
#: Bytes of the HMAC that end a file.
TAIL = 10

_SIZES = {
    "encrypted_hash": (32,),
    "iv": (16,),
    "encryption_key": (32,),
    "hmac_key": (32,),
    "plaintext_hash": (32,),
}


@dataclass(frozen=True, slots=True)
class MediaKeys:
    """The keys and digests of one file. SHA-256 digests and keys are 32 bytes, the IV 16."""

    encrypted_hash: bytes = field(repr=False)
    iv: bytes = field(repr=False)
    encryption_key: bytes = field(repr=False)
    hmac_key: bytes = field(repr=False)
    plaintext_hash: bytes = field(repr=False)

    def as_json(self) -> dict[str, str]:
        """Return the ``encryption_metadata`` object, every member base64."""
        return {name: base64_text.encode(getattr(self, name)) for name in _SIZES}


@dataclass(frozen=True, slots=True)
class Attachment:
    """One file a user attached. ``cdn_url`` is https and lives about as long as the request."""

    media_id: str
    cdn_url: str = field(repr=False)
    file_name: str = field(repr=False)
    keys: MediaKeys = field(repr=False)


def read_keys(value: JSONValue) -> MediaKeys:
    """Return the keys of an ``encryption_metadata`` object. Raises EnvelopeError."""
    if not isinstance(value, dict):
        raise _malformed("encryption_metadata must be an object.")
    members: dict[str, bytes] = {}
    for name, sizes in _SIZES.items():
        text = value.get(name)
        try:
            decoded = base64_text.decode(text) if isinstance(text, str) else b""
        except Base64TextError:
            decoded = b""
        if len(decoded) not in sizes:
            raise _malformed(f"encryption_metadata.{name} must be base64 of {sizes[0]} bytes.")
        members[name] = decoded
    return MediaKeys(**members)


def read_attachments(value: JSONValue) -> tuple[Attachment, ...]:
    """Return the files of a PhotoPicker or DocumentPicker value.

    Raises EnvelopeError for anything but a list of 0 to 30 complete entries with an
    https address and a file name without a path.
    """
    if not isinstance(value, list) or len(value) > MAX_FILES:
        raise _malformed(f"A media value must be a list of at most {MAX_FILES} files.")
    return tuple(_attachment(item) for item in value)


def _attachment(item: JSONValue) -> Attachment:
    if not isinstance(item, dict):
        raise _malformed("A media entry must be an object.")
    media_id = _text(item, "media_id")
    cdn_url = _text(item, "cdn_url")
    file_name = _text(item, "file_name")
    if not cdn_url.startswith("https://"):
        raise _malformed("cdn_url must be an https address.")
    if not file_name.isprintable() or file_name in {".", ".."} or set(file_name) & set("/\\"):
        raise _malformed("file_name must be a plain name.")
    return Attachment(media_id, cdn_url, file_name, read_keys(item.get("encryption_metadata")))


def _text(item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    # Numeric ids are seen in the field beside textual ones.
    if name == "media_id" and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not 0 < len(value) <= 4096:
        raise _malformed(f"{name} must be a text of 1 to 4096 characters.")
    return value


def _malformed(what: str) -> EnvelopeError:
    return EnvelopeError(what, code="bad_media")


def open_media(file: bytes, keys: MediaKeys) -> bytes:
    """Return the plaintext of ``file``, every check passed.

    In this order: size, SHA-256 of the file, HMAC over IV and cipher text, padding,
    SHA-256 of the plaintext. Nothing is decrypted before the HMAC fitted. Raises
    OpenError with code ``media_size``, ``media_hash``, ``media_mac``,
    ``media_padding`` or ``media_plaintext_hash``.
    """
    if not aes.BLOCK + TAIL <= len(file) <= MAX_FILE + aes.BLOCK + TAIL:
        raise _unopened("media_size")
    if not mac.equal(hashlib.sha256(file).digest(), keys.encrypted_hash):
        raise _unopened("media_hash")
    ciphertext, tail = file[:-TAIL], file[-TAIL:]
    if not mac.equal(mac.sha256(keys.hmac_key, keys.iv + ciphertext)[:TAIL], tail):
        raise _unopened("media_mac")
    try:
        padded_well, plaintext = aes.cbc_decrypt(keys.encryption_key, keys.iv, ciphertext)
    except aes.AESDecryptionError:
        raise _unopened("media_size") from None
    if not padded_well:
        raise _unopened("media_padding")
    if not mac.equal(hashlib.sha256(plaintext).digest(), keys.plaintext_hash):
        raise _unopened("media_plaintext_hash")
    return plaintext


def _unopened(code: str) -> OpenError:
    return OpenError("The attached file cannot be opened.", code=code)


def seal_media(plaintext: bytes) -> tuple[bytes, MediaKeys]:
    """Return the file as it lies on the CDN, and its fresh keys. Raises SealError."""
    if len(plaintext) > MAX_FILE:
        raise SealError(f"A file must not have more than {MAX_FILE} bytes.")
    encryption_key, hmac_key = secrets.token_bytes(32), secrets.token_bytes(32)
    iv = secrets.token_bytes(aes.BLOCK)
    ciphertext = aes.cbc_encrypt(encryption_key, iv, plaintext)
    file = ciphertext + mac.sha256(hmac_key, iv + ciphertext)[:TAIL]
    return file, MediaKeys(
        encrypted_hash=hashlib.sha256(file).digest(),
        iv=iv,
        encryption_key=encryption_key,
        hmac_key=hmac_key,
        plaintext_hash=hashlib.sha256(plaintext).digest(),
    )
