"""The versioned master keys that wrap every data key at rest.

Written ``VERSION:BASE64`` with a version from 1 to 65535 and exactly 32 random bytes,
several separated by commas or white space. The highest version wraps; every listed one
unwraps. Imports no models: the settings check it before anything else starts.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from crypto_schemes import base64_text

#: Bytes of a master key (AES-256).
SIZE = 32
HOW_TO_MAKE_ONE = (
    "An installation that has data needs the key its data was sealed with; script/server keeps the "
    "one it made in the file master-keys of SEALGATE_VAR. For a new one, make a key: "
    "python3 -c 'import base64, secrets; "
    'print("1:" + base64.b64encode(secrets.token_bytes(32)).decode())\' '
    "and set SEALGATE_MASTER_KEYS to what it prints (or SEALGATE_MASTER_KEYS_FILE to the path "
    "of a file that holds it). Keep a copy in a safe place: without it no key can be read again."
)


class MasterKeyError(ValueError):
    """The master keys are missing, malformed or weak. The message says how to make one."""


@dataclass(frozen=True, slots=True)
class MasterKeys:
    """Master keys by version. ``repr`` shows versions only."""

    by_version: Mapping[int, bytes] = field(repr=False)

    @property
    def current_version(self) -> int:
        """Return the version that wraps."""
        return max(self.by_version)

    @property
    def current(self) -> bytes:
        """Return the key that wraps."""
        return self.by_version[self.current_version]

    @classmethod
    def parse(cls, text: str) -> MasterKeys:
        """Return the master keys written in ``text``.

        Raises :class:`MasterKeyError`, without quoting the text.
        """
        entries = [entry for entry in re.split(r"[,\s]+", text) if entry]
        if not entries:
            raise MasterKeyError(f"SEALGATE_MASTER_KEYS is not set. {HOW_TO_MAKE_ONE}")
        keys: dict[int, bytes] = {}
        for entry in entries:
            number, separator, encoded = entry.partition(":")
            if not separator or not re.fullmatch(r"[1-9][0-9]{0,4}", number):
                raise MasterKeyError(
                    "SEALGATE_MASTER_KEYS must be written VERSION:BASE64, for example 1:…, "
                    f"separated by commas. {HOW_TO_MAKE_ONE}"
                )
            version = int(number)
            if version > 0xFFFF or version in keys:
                raise MasterKeyError(
                    f"SEALGATE_MASTER_KEYS: version {version} is too high or given twice."
                )
            keys[version] = _decode(version, encoded)
        if len(set(keys.values())) != len(keys):
            raise MasterKeyError("SEALGATE_MASTER_KEYS: two versions hold the same key.")
        return cls(keys)


def written(masters: MasterKeys) -> str:
    """Return master keys in their written form, a line each."""
    return "\n".join(_written(*item) for item in sorted(masters.by_version.items()))


def _written(version: int, key: bytes) -> str:
    return f"{version}:{base64.b64encode(key).decode('ascii')}"


def _decode(version: int, encoded: str) -> bytes:
    try:
        key = base64_text.decode_any(encoded)
    except base64_text.Base64TextError:
        raise MasterKeyError(
            f"SEALGATE_MASTER_KEYS: version {version} is not base64. {HOW_TO_MAKE_ONE}"
        ) from None
    if len(key) != SIZE:
        raise MasterKeyError(
            f"SEALGATE_MASTER_KEYS: version {version} is {len(key)} bytes, {SIZE} are needed. "
            f"{HOW_TO_MAKE_ONE}"
        )
    if _is_patterned(key):
        raise MasterKeyError(
            f"SEALGATE_MASTER_KEYS: version {version} is not random (a pattern or typed text). "
            f"{HOW_TO_MAKE_ONE}"
        )
    return key


def _is_patterned(key: bytes) -> bool:
    """Return whether ``key`` is typed text, repeats, or counts up or down.

    32 random bytes have about 30 different values and as many different steps from one to the
    next; fewer than 16 of either has a chance below 1e-9, as has printable ASCII throughout.
    """
    steps = {(after - before) % 256 for before, after in pairwise(key)}
    return min(len(set(key)), len(steps)) < SIZE // 2 or all(32 <= byte < 127 for byte in key)


def generate(version: int = 1) -> str:
    """Return a new master key in its written form."""
    return _written(version, secrets.token_bytes(SIZE))
