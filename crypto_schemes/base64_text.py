"""Base64 in the forms the contracts use (RFC 4648 §§4, 5).

Strict where a contract is strict: no stray characters, padding complete. The
``bits`` after the last full byte are not checked to be zero, because encoders
in the field differ and no contract signs the text form.
"""

from __future__ import annotations

import base64
import binascii
import re

_WHITE_SPACE = b" \t\r\n"
_STANDARD = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
_ANY = re.compile(rb"[A-Za-z0-9+/_-]*={0,2}")


class Base64TextError(ValueError):
    """The text is not base64 in the expected form. Never quotes the text."""


def _ascii(text: str | bytes) -> bytes:
    if isinstance(text, bytes):
        return text
    try:
        return text.encode("ascii")
    except UnicodeEncodeError:
        raise Base64TextError("base64 text must be ASCII") from None


def encode(data: bytes) -> str:
    """Return ``data`` in the standard alphabet, padded, without line breaks."""
    return base64.b64encode(data).decode("ascii")


def encode_url(data: bytes) -> str:
    """Return ``data`` in the URL alphabet, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: str | bytes, *, white_space: bool = False) -> bytes:
    """Return the bytes of standard, padded base64.

    ``white_space`` drops blanks and line breaks first (MIME encoders fold).
    Raises :class:`Base64TextError` for anything else.
    """
    data = _ascii(text)
    if white_space:
        data = data.translate(None, _WHITE_SPACE)
    if len(data) % 4 or not _STANDARD.fullmatch(data):
        raise Base64TextError("not standard base64")
    return _decode(data)


def decode_any(text: str | bytes, *, white_space: bool = False) -> bytes:
    """Return the bytes of base64 in either alphabet, padded or not.

    Raises :class:`Base64TextError` for anything else.
    """
    data = _ascii(text)
    if white_space:
        data = data.translate(None, _WHITE_SPACE)
    if not _ANY.fullmatch(data):
        raise Base64TextError("not base64")
    data = data.rstrip(b"=").replace(b"-", b"+").replace(b"_", b"/")
    if len(data) % 4 == 1:
        raise Base64TextError("not base64: impossible length")
    return _decode(data + b"=" * (-len(data) % 4))


def _decode(data: bytes) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise Base64TextError("not base64") from None
