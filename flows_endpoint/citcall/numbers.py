"""Calling numbers and transaction ids: drawn so that nobody can tell the next one."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Final

from crypto_schemes.citcall import OTP_DIGITS

#: The vendor's clock: Western Indonesian Time.
_WIB: Final = timezone(timedelta(hours=7))
_TRXID_DIGITS: Final = 12


def draw(pool: Sequence[str], avoid: str = "") -> str:
    """Return a number of ``pool`` whose last four digits are not those of ``avoid``.

    Each X of an entry is any digit; every number the pool describes is as likely as every
    other. The pool must describe two different endings, as the flow's options make sure.
    """
    while True:
        entry = _weighted(pool)
        fixed = entry.rstrip("X")
        free = len(entry) - len(fixed)
        number = fixed + (f"{secrets.randbelow(10**free):0{free}d}" if free else "")
        if number[-OTP_DIGITS:] != avoid[-OTP_DIGITS:]:
            return number


def new_trxid(now: datetime) -> str:
    """Return ``YYYYMMDDhhmmss`` of ``now`` at UTC+7 and 12 random digits."""
    chance = secrets.randbelow(10**_TRXID_DIGITS)
    return f"{now.astimezone(_WIB):%Y%m%d%H%M%S}{chance:0{_TRXID_DIGITS}d}"


def _weighted(pool: Sequence[str]) -> str:
    """Return one entry, an entry with n X counting as its 10**n numbers."""
    weights = [10 ** entry.count("X") for entry in pool]
    place = secrets.randbelow(sum(weights))
    for entry, weight in zip(pool, weights, strict=True):
        if place < weight:
            return entry
        place -= weight
    raise AssertionError("the place lies within the sum of the weights")
