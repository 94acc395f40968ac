"""The inside of ``data``: a reversed time, a dot and JSON, enciphered twice."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

from crypto_schemes import base64_text
from crypto_schemes.base64_text import Base64TextError
from crypto_schemes.ciphers import additive
from crypto_schemes.ciphers.additive import AdditiveCipherError
from crypto_schemes.errors import KeyMaterialError, OpenError, SealError
from crypto_schemes.json_text import JSONTextError, JSONValue, parse

#: A decimal without leading zeros, read backwards.
_STAMP = re.compile(rb"[0-9]{0,11}[1-9]")


def seal_text(text: bytes, userid: str, api_key: str, *, now: float) -> str:
    """Return the ``data`` of ASCII JSON text, stamped with ``now`` (Unix seconds).

    Raises SealError.
    """
    stamp = str(int(now))[::-1].encode("ascii")
    try:
        half = additive.add(stamp + b"." + text, userid.encode("ascii"))
        return base64_text.encode_url(additive.add(half, api_key.encode("ascii")))
    except (AdditiveCipherError, UnicodeEncodeError):
        raise SealError("The text, the userid and the API key must be ASCII.") from None


@dataclass(frozen=True, slots=True)
class OpenedText:
    """What was inside ``data``. ``digest`` is SHA-256 of the cipher bytes, whatever their form."""

    issued_at: int
    raw: bytes = field(repr=False)
    payload: JSONValue = field(repr=False)
    digest: bytes = field(repr=False)


def open_text(data: str, userid: str, api_key: str) -> OpenedText:
    """Return what is inside ``data``; the time stamp is not judged here.

    Accepts both base64 alphabets, padded or not. Raises OpenError with the code
    ``base64``, ``not_ascii``, ``no_stamp``, ``bad_stamp`` or ``json``. Whatever is wrong, the
    same steps run to the end before it is said, so an answer's time names no step.
    """
    failed = ""
    try:
        sealed = base64_text.decode_any(data)
    except Base64TextError:
        failed, sealed = "base64", bytes(len(data) * 3 // 4)
    if not sealed.isascii():
        # A byte above 127 would open like the one 128 below it: one message, many forms.
        failed, sealed = "not_ascii", bytes(len(sealed))
    digest = hashlib.sha256(sealed).digest()
    try:
        half = additive.subtract(sealed, api_key.encode("ascii"))
        opened = additive.subtract(half, userid.encode("ascii"))
    except (AdditiveCipherError, UnicodeEncodeError):
        raise KeyMaterialError("The userid and the API key must be ASCII.") from None
    stamp, dot, raw = opened.partition(b".")
    if not dot:
        failed, raw = failed or "no_stamp", opened
    if not _STAMP.fullmatch(stamp):
        failed, stamp = failed or "bad_stamp", b"1"
    payload: JSONValue = None
    try:
        payload = parse(raw)
    except JSONTextError:
        failed = failed or "json"
    if failed:
        raise OpenError("The data does not open under this userid and API key.", code=failed)
    return OpenedText(int(stamp[::-1]), raw, payload, digest)
