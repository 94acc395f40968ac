"""AES keys of ISU as text: how partners write them, and back to the 32 bytes they are."""

from __future__ import annotations

import re
import secrets

from crypto_schemes import base64_text, pasted_keys
from crypto_schemes.base64_text import Base64TextError
from crypto_schemes.errors import KeyMaterialError
from crypto_schemes.isu.options import IsuOptions

#: AES-256.
KEY_BYTES = 32
#: Random bytes behind a key that has to be text: 32 characters of the URL alphabet.
_TEXT_KEY_BYTES = 24
_HEX = re.compile(r"[0-9A-Fa-f]{64}")
_SOME_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_BASE64_KEY = re.compile(r"[A-Za-z0-9+/]{43}=")


def new_key(options: IsuOptions) -> bytes:
    """Return a fresh 32-byte key that can be written as the options say.

    256 random bits; 192 where the key must be readable text (``utf8``).
    """
    if options.key_encoding == "utf8":
        return base64_text.encode_url(secrets.token_bytes(_TEXT_KEY_BYTES)).encode("ascii")
    return secrets.token_bytes(KEY_BYTES)


def key_to_text(key: bytes, options: IsuOptions) -> str:
    """Return ``key`` as it is handed out.

    Raises KeyMaterialError where the options want text and the key is none.
    """
    if options.key_encoding == "base64":
        return base64_text.encode(key)
    if options.key_encoding == "hex":
        return key.hex()
    try:
        text = key.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if not text or not text.isprintable():
        raise KeyMaterialError(
            "This AES key is not text and cannot be written as utf8.",
            "Set key_encoding to base64 or hex, or generate a new key.",
        )
    return text


def key_from_text(text: str, options: IsuOptions) -> bytes:
    """Return the 32 bytes of a key written as the options say. Raises KeyMaterialError."""
    encoding = options.key_encoding
    if encoding == "base64":
        try:
            key = base64_text.decode(text)
        except Base64TextError:
            key = b""
    elif encoding == "hex":
        key = bytes.fromhex(text) if _SOME_HEX.fullmatch(text) else b""
    else:
        key = text.encode("utf-8", "replace")
    if len(key) == KEY_BYTES:
        return key
    pasted_keys.refuse_text_of_another_kind("AES key", text)
    what = f"The AES key is not {KEY_BYTES} bytes written as {encoding}"
    if encoding != "hex" and _HEX.fullmatch(text):
        what += ": these are hex digits."
    elif encoding != "base64" and _BASE64_KEY.fullmatch(text):
        what += ": this is base64."
    elif key:
        what += f": this text stands for {len(key)} bytes."
    else:
        what += "."
    raise KeyMaterialError(what, "Check the key, or the option key_encoding.")
