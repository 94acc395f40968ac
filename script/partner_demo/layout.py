"""Values cut and broken so that they fit a terminal; text only, no colour."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from crypto_schemes.json_text import JSONValue

#: Longest text inside a JSON value before its middle is left out, in characters.
LONGEST: Final = 44
#: Most items of a list that are shown.
_ITEMS: Final = 4
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
    """Return ``value`` with long texts and long lists in it cut short; names stay as they are."""
    if isinstance(value, str):
        return abbreviate(value, longest)
    if isinstance(value, list):
        shown = value if len(value) <= _ITEMS else value[: _ITEMS - 1]
        more = [f"{_MARK} {len(value) - len(shown)} more"] if len(shown) < len(value) else []
        return [abbreviate_all(item, longest) for item in shown] + more
    if isinstance(value, dict):
        return {name: abbreviate_all(item, longest) for name, item in value.items()}
    return value


def lay_out(value: JSONValue, width: int) -> str:
    """Return ``value`` as readable JSON: as many members on a line as fit ``width``.

    Long texts and lists are cut short, so the result is to be read and not to be parsed.
    """
    return "\n".join(_lines(abbreviate_all(value), width))


def _lines(value: JSONValue, width: int) -> list[str]:
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) <= width or not isinstance(value, dict | list) or not value:
        return [flat]
    opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
    # Members hang below the first one, a column right of the bracket. Two columns stay free
    # for what follows: a comma or further closing brackets.
    lines = _packed(value, width - 3)
    hung = [opening + lines[0], *(" " + line for line in lines[1:])]
    hung[-1] += closing
    return hung


def _packed(value: JSONValue, width: int) -> list[str]:
    """Return the members of a container; those of one line share lines, others stand alone."""
    lines: list[str] = []
    is_open = False
    blocks = list(_blocks(value, width))
    for index, block in enumerate(blocks):
        if index < len(blocks) - 1:
            block[-1] += ","
        if is_open and len(block) == 1 and len(lines[-1]) + 1 + len(block[0]) <= width:
            lines[-1] += " " + block[0]
        else:
            lines += block
        is_open = len(block) == 1
    return lines


def _blocks(value: JSONValue, width: int) -> Iterator[list[str]]:
    """Give the lines of each member.

    A container hangs behind its name, or stands below it where that would be too wide.
    """
    items = value.items() if isinstance(value, dict) else (("", item) for item in value)
    for name, item in items:
        label = f"{json.dumps(name, ensure_ascii=False)}: " if isinstance(value, dict) else ""
        first, *rest = _lines(item, width - len(label))
        block = [label + first, *(" " * len(label) + line for line in rest)]
        if label and rest and max(map(len, block)) > width:
            block = [label.rstrip(), *("  " + line for line in _lines(item, width - 2))]
        yield block
