"""JSON as it may come from a stranger: strict, bounded, one reading only.

RFC 8259 leaves duplicate names, lone surrogates and number ranges to the
reader; two readers that differ are a way around a check. This one refuses all
three, and nesting beyond :data:`MAX_DEPTH`.
"""

from __future__ import annotations

import json
import math
from typing import Any, TypeAlias

#: A value of JSON text. ``Any``, because a recursive alias buys no safety at the
#: places that look at single members: those check what they take.
JSONValue: TypeAlias = Any

#: How deep arrays and objects may nest. Far above any contract's need, far
#: below the interpreter's recursion limit.
MAX_DEPTH = 64


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


def _depth(text: str) -> int:
    """Return the deepest nesting of ``text``, counting brackets outside strings."""
    depth = deepest = 0
    in_string = escaped = False
    for character in text:
        if in_string:
            if escaped:
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == '"':
                in_string = False
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    return deepest


def parse(raw: bytes) -> JSONValue:
    """Return the value of the UTF-8 JSON text ``raw``.

    Raises :class:`JSONTextError` for bad UTF-8, a byte order mark, duplicate
    member names, lone surrogates, ``NaN``/``Infinity``, numbers outside the
    range of a double, integers of more than 4,300 digits and nesting beyond
    :data:`MAX_DEPTH`. Source: RFC 8259 §§4, 6, 8.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise JSONTextError("the text is not UTF-8") from None
    # Counting brackets is one pass in C; only suspicious texts get the exact walk.
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise JSONTextError(f"nested deeper than {MAX_DEPTH}")
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_finite,
        )
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
        return json.dumps(
            value, ensure_ascii=ascii_only, allow_nan=False, separators=(",", ":")
        ).encode("utf-8")
    except (TypeError, ValueError, RecursionError):
        raise JSONTextError("the value cannot be written as JSON") from None
