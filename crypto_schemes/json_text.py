"""JSON as it may come from a stranger: strict, bounded, one reading only.

RFC 8259 leaves duplicate names, lone surrogates and number ranges to the
reader; two readers that differ are a way around a check. This one refuses all
three, and what costs its reader far more than its writer.
"""

from __future__ import annotations

import json
import math
from itertools import accumulate
from typing import Any, TypeAlias

#: A value of JSON text. ``Any``, because a recursive alias buys no safety at the
#: places that look at single members: those check what they take.
JSONValue: TypeAlias = Any

#: How deep arrays and objects may nest. Far above any contract's need, far
#: below the interpreter's recursion limit.
MAX_DEPTH = 64

#: How many values a text may hold: each costs some hundred bytes of memory, and time.
MAX_VALUES = 250_000

#: One level in for an opening bracket, one out for a closing one, as signed bytes.
_INWARD, _OUTWARD, _COMMA = b"\x01", b"\xff", b"\x00"
_STEPS = bytes.maketrans(b"[{]},", _INWARD * 2 + _OUTWARD * 2 + _COMMA)
_NO_MARK = bytes(set(range(256)) - set(b'[]{},"'))


class JSONTextError(ValueError):
    """The text is not JSON as this package reads it.

    The message names the rule, never the text.
    """


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise JSONTextError("an object has the same member twice")
    return members


def _constant(_: str) -> Any:
    raise JSONTextError("NaN and Infinity are not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise JSONTextError("a number is out of range")
    return number


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_float=_finite
)
_ENCODERS = {
    ascii_only: json.JSONEncoder(
        ensure_ascii=ascii_only, allow_nan=False, separators=(",", ":")
    ).encode
    for ascii_only in (False, True)
}


def _refuse_excess(raw: bytes) -> None:
    """Raise JSONTextError for too many values or too deep nesting outside strings.

    Every step is one pass in C: a loop over the characters of 10 MB holds up every other
    thread for seconds, and so do millions of lists.
    """
    unescaped = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    # What stands between two quotation marks is a string; an empty one changes nothing.
    marks = unescaped.translate(_STEPS, _NO_MARK).replace(b'""', b"")
    outside = b"".join(marks.split(b'"')[::2])
    if outside.count(_COMMA) + outside.count(_INWARD) > MAX_VALUES:
        raise JSONTextError(f"more than {MAX_VALUES} values")
    if max(accumulate(memoryview(outside).cast("b")), default=0) > MAX_DEPTH:
        raise JSONTextError(f"nested deeper than {MAX_DEPTH}")


def parse(raw: bytes) -> JSONValue:
    """Return the value of the UTF-8 JSON text ``raw``.

    Raises :class:`JSONTextError` for bad UTF-8, a byte order mark, duplicate
    member names, lone surrogates, ``NaN``/``Infinity``, numbers outside the
    range of a double, integers of more than 4,300 digits, nesting beyond
    :data:`MAX_DEPTH` and more than :data:`MAX_VALUES` values. Source: RFC 8259 §§4, 6, 8, 9.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise JSONTextError("the text is not UTF-8") from None
    # Counting is quick; only suspicious texts are looked at closely.
    brackets = raw.count(b"[") + raw.count(b"{")
    if brackets > MAX_DEPTH or brackets + raw.count(b",") > MAX_VALUES:
        _refuse_excess(raw)
    try:
        value = _DECODER.decode(text)
    except JSONTextError:
        raise
    except (ValueError, RecursionError):
        raise JSONTextError("the text is not JSON") from None
    # The decoder joins surrogate pairs, so what an escape can leave behind is lone.
    if "\\u" in text or "\\U" in text:
        _refuse_lone_surrogates(value)
    return value


def _refuse_lone_surrogates(value: JSONValue) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise JSONTextError("a string holds half a surrogate pair") from None


def compact(value: JSONValue, *, ascii_only: bool = False) -> bytes:
    """Return ``value`` as compact JSON text (no spaces), members in given order.

    ``ascii_only`` writes other characters as ``\\uXXXX``; otherwise UTF-8.
    Raises :class:`JSONTextError` for what JSON cannot say.
    """
    try:
        return _ENCODERS[ascii_only](value).encode("utf-8")
    except (TypeError, ValueError, RecursionError):
        raise JSONTextError("the value cannot be written as JSON") from None
