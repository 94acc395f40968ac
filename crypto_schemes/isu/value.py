"""Encrypted values of ISU: base64 of IV and AES-256-CBC cipher text, sealed and opened.

Opening goes through to the end whatever fails on the way (zero blocks stand in for what
has not the form of a message, text is parsed as it is where its padding is wrong), so that
every failure costs the same; only then it says which step failed, for the log alone.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from crypto_schemes import base64_text, json_text
from crypto_schemes.base64_text import Base64TextError
from crypto_schemes.ciphers import aes
from crypto_schemes.errors import OpenError
from crypto_schemes.isu.options import IsuOptions
from crypto_schemes.json_text import JSONTextError, JSONValue
from crypto_schemes.keys import KeyVersion

#: How far opening got, nearest step first: the furthest one names the failure in the log.
_STEPS = ("no_key", "twin", "base64", "length", "padding", "json", "members", "credentials")


@dataclass(frozen=True, slots=True)
class Message:
    """An encrypted value taken apart: 16-byte ``iv`` and whole cipher ``blocks``.

    After a ``fault`` of form they are dummies.
    """

    iv: bytes = field(repr=False)
    blocks: bytes = field(repr=False)
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one key version made of a message. ``fault`` is empty where it opened."""

    fault: str
    text: bytes = field(repr=False)
    value: JSONValue = field(repr=False)


def seal_value(key: bytes, text: bytes, options: IsuOptions, *, iv: bytes | None = None) -> str:
    """Return ``text`` encrypted under the 32-byte ``key``, as it travels.

    ``iv`` (16 bytes) is only for known-answer tests; it is random otherwise, or the
    agreed one where the option says so, which then does not travel.
    """
    fixed = options.fixed_iv
    if fixed is not None:
        return base64_text.encode(aes.cbc_encrypt(key, fixed, text))
    if iv is None:
        iv = secrets.token_bytes(aes.BLOCK)
    return base64_text.encode(iv + aes.cbc_encrypt(key, iv, text))


def take_apart(value: str, options: IsuOptions) -> Message:
    """Return the blocks of a value as it travels, or dummies and the fault."""
    try:
        data = base64_text.decode(value)
    except Base64TextError:
        return _dummy(len(value) * 3 // 4, "twin" if "," in value else "base64")
    fixed = options.fixed_iv
    iv, blocks = (data[: aes.BLOCK], data[aes.BLOCK :]) if fixed is None else (fixed, data)
    if not blocks or len(blocks) % aes.BLOCK:
        return _dummy(len(blocks), "length")
    return Message(iv, blocks)


def _dummy(size: int, fault: str) -> Message:
    """Return zero blocks of about ``size`` bytes, so that bad form costs what a bad key does."""
    return Message(bytes(aes.BLOCK), bytes(max(1, size // aes.BLOCK) * aes.BLOCK), fault)


def open_with(version: KeyVersion, message: Message, options: IsuOptions) -> Attempt:
    """Decrypt and parse, to the end whatever fails on the way."""
    padded, text = aes.cbc_decrypt(version.raw, message.iv, message.blocks)
    if options.unpad == "lenient":
        padded, text = True, _trimmed(text)
    is_json, value = try_json(text)
    fault = message.fault or ("" if padded else "padding") or ("" if is_json else "json")
    return Attempt(fault, text, None if fault else value)


def _trimmed(text: bytes) -> bytes:
    """Return an object or array without the padding after its last bracket; others as they are.

    What is dropped is a block at most, or two of one repeated byte (old clients pad to 32).
    A free tail would be an oracle: whoever has one message could append blocks of another
    and learn from the answer whether they decrypt to a bracket.
    """
    if text.lstrip(b" \t\r\n")[:1] not in (b"{", b"["):
        return text
    end = max(text.rfind(b"}"), text.rfind(b"]")) + 1
    tail = text[end:]
    is_padding = len(tail) <= aes.BLOCK or (len(tail) <= 2 * aes.BLOCK and len(set(tail)) == 1)
    return text[:end] if is_padding else text


def open_any(
    value: str, keys: Sequence[KeyVersion], options: IsuOptions, *, what: str
) -> tuple[KeyVersion, Attempt]:
    """Return the first of ``keys`` that opens ``value``, and what it gave.

    Raises OpenError with the code ``what`` and the furthest step.
    """
    message = take_apart(value, options)
    faults = ["no_key"]
    for version in keys:
        attempt = open_with(version, message, options)
        if not attempt.fault:
            return version, attempt
        faults.append(attempt.fault)
    raise cannot_open(what, faults)


def cannot_open(what: str, faults: Sequence[str]) -> OpenError:
    """Return the one error for all that does not open; its code names the furthest step."""
    furthest = max(faults, key=_STEPS.index)
    return OpenError("The encrypted value does not open.", code=f"{what}_{furthest}")


def try_json(raw: bytes) -> tuple[bool, JSONValue]:
    """Return whether ``raw`` is JSON text, and its value or None."""
    try:
        return True, json_text.parse(raw)
    except JSONTextError:
        return False, None
