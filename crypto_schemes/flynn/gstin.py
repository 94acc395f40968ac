"""GSTIN, the Indian tax number: 15 characters with a check character.

Two digits of the state, the ten characters of the holder's PAN, one for the how-manieth
registration of that holder in the state, a ``Z``, and a check character by the Luhn
algorithm modulo 36 (ISO/IEC 7812-1 Annex B, in base 36).
"""

from __future__ import annotations

import re
import secrets

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LETTERS = _DIGITS[10:]
_BASE = len(_DIGITS)

#: What a GSTIN looks like, check character aside. State codes 01 to 38.
PATTERN = r"(?:0[1-9]|[12][0-9]|3[0-8])[A-Z]{5}[0-9]{4}[A-Z][1-9A-Z]Z[0-9A-Z]"

#: The fourth letter of a PAN names the sort of holder; C is a company.
_COMPANY = "C"


def check_character(first_fourteen: str) -> str:
    """Return the check character of 14 characters of ``0-9A-Z``.

    Raises ValueError for any other character.
    """
    total = 0
    for position, character in enumerate(first_fourteen):
        product = _DIGITS.index(character) * (1 + position % 2)
        total += product // _BASE + product % _BASE
    return _DIGITS[-total % _BASE]


def is_valid(text: str) -> bool:
    """Return whether ``text`` is a GSTIN with the right check character."""
    return bool(re.fullmatch(PATTERN, text)) and check_character(text[:14]) == text[14]


def make() -> str:
    """Return a random, well-formed GSTIN of a company that need not exist."""
    state = f"{1 + secrets.randbelow(37):02d}"
    letters = [secrets.choice(_LETTERS) for _ in range(5)]
    letters[3] = _COMPANY
    pan = f"{''.join(letters)}{secrets.randbelow(10_000):04d}{secrets.choice(_LETTERS)}"
    text = f"{state}{pan}1Z"
    return text + check_character(text)
