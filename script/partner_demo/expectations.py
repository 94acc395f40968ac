"""What a partner expects of an answer, and the one error for what came instead."""

from __future__ import annotations

import json
from collections.abc import Container
from typing import NoReturn

from crypto_schemes.json_text import JSONValue
from script.partner_demo.layout import abbreviate

_SHOWN = 300


class UnexpectedError(Exception):
    """Something is not as the contract says; the message is a sentence for a person."""


def same(what: str, came: object, expected: object) -> None:
    """Raise UnexpectedError unless ``came`` equals ``expected``, type included."""
    if type(came) is not type(expected) or came != expected:
        fail(what, came, _shown(expected))


def one_of(what: str, came: object, expected: Container[object]) -> None:
    """Raise UnexpectedError unless ``expected`` contains ``came``."""
    if came not in expected:
        fail(what, came, f"one of {expected}")


def holds(what: str, came: object, condition: bool, expected: str) -> None:  # noqa: FBT001
    """Raise UnexpectedError unless ``condition``; ``expected`` says it in words."""
    if not condition:
        fail(what, came, expected)


def member(value: JSONValue, *names: str | int) -> JSONValue:
    """Return the member of ``value`` under ``names``, from the outside in.

    Raises UnexpectedError naming the first one that is not there.
    """
    for depth, name in enumerate(names):
        found = (
            (isinstance(value, dict) and name in value)
            if isinstance(name, str)
            else (isinstance(value, list) and -len(value) <= name < len(value))
        )
        if not found:
            path = " → ".join(map(str, names[: depth + 1]))
            fail(f"the answer's {path}", value, "it to be there")
        value = value[name]
    return value


def text(value: JSONValue, *names: str | int) -> str:
    """Return the text that :func:`member` finds. Raises UnexpectedError for anything else."""
    found = member(value, *names)
    path = " → ".join(map(str, names))
    holds(f"the answer's {path}", found, isinstance(found, str) and found != "", "a text")
    return str(found)


def fail(what: str, came: object, expected: str) -> NoReturn:
    """Raise UnexpectedError: ``what`` was to be ``expected`` and is ``came``."""
    raise UnexpectedError(f"Expected for {what}: {expected}. What came: {_shown(came)}.")


def _shown(value: object) -> str:
    try:
        return abbreviate(json.dumps(value, ensure_ascii=False), _SHOWN)
    except (TypeError, ValueError):
        return abbreviate(str(value), _SHOWN)
