"""Values cut and broken so that they fit a terminal; text only, no colour."""

from __future__ import annotations

import json
from typing import Final

from crypto_schemes.json_text import JSONValue

#: Longest text inside a JSON value before its middle is left out, in characters.
LONGEST: Final = 44
_MARK: Final = "…"


def abbreviate(text: str, longest: int) -> str:
    """Return ``text`` with its middle left out where it has more than ``longest`` characters.

    Two thirds of what stays are its beginning. ``longest`` counts the mark and is at least 5.
    """
    longest = max(longest, 5)
    if len(text) <= longest:
        return text
    tail = (longest - 1) // 3
    return text[: longest - 1 - tail] + _MARK + text[len(text) - tail :]


def abbreviate_all(value: JSONValue, longest: int = LONGEST) -> JSONValue:
    """Return ``value`` with every text in it abbreviated; member names stay as they are."""
    if isinstance(value, str):
        return abbreviate(value, longest)
    if isinstance(value, list):
        return [abbreviate_all(item, longest) for item in value]
    if isinstance(value, dict):
        return {name: abbreviate_all(item, longest) for name, item in value.items()}
    return value


def lay_out(value: JSONValue, width: int) -> str:
    """Return ``value`` as readable JSON: on one line where it fits ``width``, else broken up.

    Long texts are abbreviated, so the result is to be read and not to be parsed.
    """
    return "\n".join(_lines(abbreviate_all(value), width))


def _lines(value: JSONValue, width: int) -> list[str]:
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) <= width or not isinstance(value, dict | list) or not value:
        return [flat]
    if isinstance(value, dict):
        opening, closing = "{", "}"
        parts = [
            (json.dumps(name, ensure_ascii=False) + ": ", item) for name, item in value.items()
        ]
    else:
        opening, closing = "[", "]"
        parts = [("", item) for item in value]
    lines = [opening]
    for index, (label, item) in enumerate(parts):
        comma = "," if index < len(parts) - 1 else ""
        # Room for two blanks in front, the label and a comma behind.
        first, *rest = _lines(item, width - 3 - len(label))
        block = ["  " + label + first, *("  " + line for line in rest)]
        block[-1] += comma
        lines += block
    return [*lines, closing]
