"""What the members of the products may hold. Types are exact: a bool is no number here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal

from crypto_schemes.json_text import JSONValue

_Check = Callable[[JSONValue], bool]
_MONEY = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,2})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PAISA = Decimal("0.01")


class FieldError(Exception):
    """A member is missing or not of its form. The text names the member, never its value."""


def matching(pattern: str) -> _Check:
    """Return a check for texts that match ``pattern`` whole."""
    compiled = re.compile(pattern)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def text(longest: int) -> _Check:
    """Return a check for texts of 1 to ``longest`` characters, not all blank, no controls."""
    visible = matching(rf"[^\x00-\x1f\x7f-\x9f]{{1,{longest}}}")
    return lambda value: visible(value) and bool(value.strip())


def optional_text(longest: int) -> _Check:
    """Return a check like :func:`text` that takes an empty text too."""
    return matching(rf"[^\x00-\x1f\x7f-\x9f]{{0,{longest}}}")


def digits(count: int) -> _Check:
    """Return a check for ``count`` digits, as text or as a number without leading zero."""
    as_text = matching(rf"[0-9]{{{count}}}")
    lowest, highest = 10 ** (count - 1), 10**count
    return lambda value: as_text(value) or (type(value) is int and lowest <= value < highest)


def one_of(*words: str) -> _Check:
    """Return a check for one of ``words``."""
    return lambda value: isinstance(value, str) and value in words


def require(
    payload: Mapping[str, JSONValue],
    required: Mapping[str, _Check],
    optional: Mapping[str, _Check],
) -> None:
    """Raise FieldError for the first member that is missing or not of its form.

    An optional member may be left out or null.
    """
    for name, check in required.items():
        if payload.get(name) is None:
            raise FieldError(f"{name} is missing")
        if not check(payload[name]):
            raise FieldError(f"Invalid {name}")
    for name, check in optional.items():
        if payload.get(name) is not None and not check(payload[name]):
            raise FieldError(f"Invalid {name}")


def money(
    payload: Mapping[str, JSONValue], name: str, highest: int, *, text_only: bool = False
) -> Decimal:
    """Return an amount of 1 to ``highest`` rupees with at most two decimals.

    Raises FieldError.
    """
    value = payload.get(name)
    amount: Decimal | None = None
    if isinstance(value, str):
        amount = Decimal(value) if _MONEY.fullmatch(value) else None
    elif isinstance(value, int | float) and not isinstance(value, bool):
        # repr is the shortest text that reads back as this number: what the partner wrote.
        amount = Decimal(repr(value)) if 0 < value <= highest and not text_only else None
    if amount is None or not 1 <= amount <= highest or amount % _PAISA:
        raise FieldError(f"{name} is missing" if value is None else f"Invalid {name}")
    return amount.quantize(_PAISA)


def day(payload: Mapping[str, JSONValue], name: str) -> date:
    """Return a day written yyyy-mm-dd, from 2000 to 2100. Raises FieldError."""
    value = payload.get(name)
    if value is None:
        raise FieldError(f"{name} is missing")
    try:
        if not isinstance(value, str) or not _DATE.fullmatch(value):
            raise FieldError(f"Invalid {name}")
        found = date.fromisoformat(value)
    except ValueError:
        raise FieldError(f"Invalid {name}") from None
    if not 2000 <= found.year <= 2100:
        raise FieldError(f"Invalid {name}")
    return found
