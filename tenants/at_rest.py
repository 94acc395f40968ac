"""Envelope encryption of everything secret in the database.

Each blob has its own random data key (AES-256-GCM), which is wrapped by the current
master key (AES-256-GCM). The associated data of both layers is the *context*, a text
that names table, column and row, so that a blob copied to another row does not open.

Layout: ``0x01 | master version (2) | wrap nonce (12) | wrapped data key (48) |
nonce (12) | cipher text and tag``. Sources: NIST SP 800-38D, SP 800-57 part 1 §5.3.
"""

from __future__ import annotations

import os
import struct

from django.conf import settings

from crypto_schemes.ciphers import aes
from tenants.master_keys import MasterKeys

_FORMAT = 1
_HEAD = struct.Struct(">BH")
_NONCE = 12
_DATA_KEY = 32
_WRAPPED = _NONCE + _DATA_KEY + aes.TAG
_SHORTEST = _HEAD.size + _WRAPPED + _NONCE + aes.TAG


class AtRestError(Exception):
    """A stored secret cannot be read.

    ``code`` is ``unknown_format``, ``unknown_master_key`` or ``not_authentic``; the
    message says what to do and never holds any part of the blob.
    """

    def __init__(self, code: str, what: str) -> None:
        super().__init__(f"{code}: {what}")
        self.code = code
        self.what = what


def _master_keys() -> MasterKeys:
    keys: MasterKeys = settings.MASTER_KEYS
    return keys


def seal(plaintext: bytes, context: str) -> bytes:
    """Return ``plaintext`` sealed for the place ``context`` names."""
    masters = _master_keys()
    version = masters.current_version
    head = head_of(version)
    bound = _associated(head, context)
    # Asked for once: what takes time is the call.
    random = os.urandom(_DATA_KEY + 2 * _NONCE)
    data_key, wrap_nonce, nonce = random[:_DATA_KEY], random[_DATA_KEY:-_NONCE], random[-_NONCE:]
    wrapped = aes.gcm_encrypt(masters.by_version[version], wrap_nonce, data_key, b"wrap|" + bound)
    ciphertext = aes.gcm_encrypt(data_key, nonce, plaintext, b"data|" + bound)
    return head + wrap_nonce + wrapped + nonce + ciphertext


def head_of(version: int) -> bytes:
    """Return the 3 bytes that everything wrapped by master key ``version`` begins with."""
    return _HEAD.pack(_FORMAT, version)


def open_sealed(
    blob: bytes | memoryview, context: str, *, masters: MasterKeys | None = None
) -> bytes:
    """Return the plaintext of ``blob``, which must have been sealed for ``context``.

    ``masters`` replaces the master keys of the settings. Raises :class:`AtRestError`.
    """
    blob = bytes(blob)
    head = blob[: _HEAD.size]
    master = (masters or _master_keys()).by_version.get(master_version(blob))
    if master is None:
        raise AtRestError(
            "unknown_master_key",
            f"The secret is wrapped by master key version {master_version(blob)}, which is not in "
            "SEALGATE_MASTER_KEYS. Add that version back.",
        )
    bound = _associated(head, context)
    wrapped = blob[_HEAD.size : _HEAD.size + _WRAPPED]
    rest = blob[_HEAD.size + _WRAPPED :]
    try:
        data_key = aes.gcm_decrypt(master, wrapped[:_NONCE], wrapped[_NONCE:], b"wrap|" + bound)
    except aes.AESDecryptionError:
        version = master_version(blob)
        raise AtRestError(
            "not_authentic",
            "The stored secret does not open with the master key of its version. Most likely "
            f"SEALGATE_MASTER_KEYS holds another key as version {version} than the one it was "
            "sealed with: then no secret opens, and the right key has to be set. If others open, "
            "this one was changed or moved from another row: restore it from a backup or issue a "
            "new one.",
        ) from None
    try:
        return aes.gcm_decrypt(data_key, rest[:_NONCE], rest[_NONCE:], b"data|" + bound)
    except aes.AESDecryptionError:
        raise AtRestError(
            "not_authentic",
            "The stored secret was changed: the master key is right, and what it wraps does not "
            "open. Restore it from a backup or issue a new one.",
        ) from None


def master_version(blob: bytes) -> int:
    """Return the master key version that wraps ``blob``. Raises AtRestError."""
    if len(blob) < _SHORTEST or blob[0] != _FORMAT:
        raise AtRestError(
            "unknown_format", "The stored secret is not in a form this version reads."
        )
    version: int = _HEAD.unpack_from(blob)[1]
    return version


def _associated(head: bytes, context: str) -> bytes:
    return b"sealgate|" + head + b"|" + context.encode("utf-8")
