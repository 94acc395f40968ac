"""Read members of a JSON object, each with its exact form; what is wrong is named by its place.

Types are exact: a bool is no number. No text that is read may hold control characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any, Final

from crypto_schemes.json_text import JSONValue
from flows_endpoint.exchange import Refusal
from flows_endpoint.flynn.errors import invalid

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DAY = re.compile(r"([0-9]{2})/([0-9]{2})/([0-9]{4})")
_DIGITS = re.compile(r"[0-9]{1,15}")
#: The largest amount of the invoice schema.
_MOST: Final = Decimal("99999999999999.99")


class Fields:
    """The members of one object and where it stands (``body.DocDtls``).

    Every method raises the refusal ``err-invalid-request-body`` that names the member when
    it is missing or not of its form. A member that is null counts as missing.
    """

    def __init__(self, value: JSONValue, place: str = "body") -> None:
        if not isinstance(value, dict):
            raise invalid(place)
        self._members: dict[str, Any] = value
        self._place = place

    def has(self, name: str) -> bool:
        """Return whether the member is there and neither null nor an empty text."""
        return self._members.get(name) not in (None, "")

    def refused(self, name: str) -> Refusal:
        """Return the refusal that names a member, for rules that are not told from its form."""
        return invalid(self._at(name))

    def object(self, name: str) -> Fields:
        """Return the members of an object."""
        return Fields(self._members.get(name), self._at(name))

    def objects(self, name: str, most: int) -> Iterator[Fields]:
        """Yield the objects of a list of 1 to ``most``."""
        items = self._members.get(name)
        if not isinstance(items, list) or not 1 <= len(items) <= most:
            raise invalid(self._at(name))
        for number, item in enumerate(items):
            yield Fields(item, f"{self._at(name)}[{number}]")

    def text(self, name: str, longest: int) -> str:
        """Return a text of 1 to ``longest`` characters that is not all blank."""
        value = self._members.get(name)
        if (
            not isinstance(value, str)
            or len(value) > longest
            or _CONTROLS.search(value)
            or not value.strip()
        ):
            raise invalid(self._at(name))
        return value

    def optional_text(self, name: str, longest: int) -> str:
        """Return a text of at most ``longest`` characters; empty when it is missing."""
        return self.text(name, longest) if self.has(name) else ""

    def optional_whole(self, name: str, least: int, most: int) -> int:
        """Return a whole number; 0 when it is missing."""
        return self.whole(name, least, most) if self.has(name) else 0

    def optional_choice(self, name: str, *words: str) -> str:
        """Return one of ``words``; empty when it is missing."""
        return self.choice(name, *words) if self.has(name) else ""

    def matching(self, name: str, pattern: str) -> str:
        """Return a text that matches ``pattern`` whole."""
        value = self._members.get(name)
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise invalid(self._at(name))
        return value

    def choice(self, name: str, *words: str) -> str:
        """Return one of ``words``; a number counts as its digits (1 as "1")."""
        value = self._members.get(name)
        text = str(value) if type(value) is int and 0 <= value < 1000 else value
        if not isinstance(text, str) or text not in words:
            raise invalid(self._at(name))
        return text

    def whole(self, name: str, least: int, most: int) -> int:
        """Return a whole number, written as a number or as a text of digits."""
        value = self._members.get(name)
        if isinstance(value, str) and _DIGITS.fullmatch(value):
            value = int(value)
        if type(value) is not int or not least <= value <= most:
            raise invalid(self._at(name))
        return value

    def amount(self, name: str) -> Decimal:
        """Return an amount from 0 to 99,999,999,999,999.99 as it was written."""
        value: JSONValue = self._members.get(name)
        if type(value) not in (int, float) or not 0 <= value <= _MOST:
            raise invalid(self._at(name))
        # repr is the shortest text that reads back as this number: what the partner wrote.
        return Decimal(repr(value))

    def optional_amount(self, name: str) -> Decimal | None:
        """Return an amount; None when it is missing."""
        return self.amount(name) if self._members.get(name) is not None else None

    def signed_amount(self, name: str, most: int) -> Decimal:
        """Return a small correction from -``most`` to ``most``; 0 when it is missing."""
        value: JSONValue = self._members.get(name)
        if value is None:
            return Decimal(0)
        if type(value) not in (int, float) or not -most <= value <= most:
            raise invalid(self._at(name))
        return Decimal(repr(value))

    def day(self, name: str) -> date:
        """Return a day written ``dd/MM/yyyy``, from 2017 (when the tax began) to 2100."""
        value = self._members.get(name)
        found = _DAY.fullmatch(value) if isinstance(value, str) else None
        try:
            if found is None:
                raise ValueError
            day = date(int(found[3]), int(found[2]), int(found[1]))
        except ValueError:
            raise invalid(self._at(name)) from None
        if not 2017 <= day.year <= 2100:
            raise invalid(self._at(name))
        return day

    def _at(self, name: str) -> str:
        return f"{self._place}.{name}"
