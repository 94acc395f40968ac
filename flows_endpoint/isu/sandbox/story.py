"""How a simulated transaction goes: by the seed, or as the paise of its amount ask for.

Paise ``.01`` to ``.04`` let a partner rehearse each ending; any other amount draws one from
``SANDBOX_SEED`` and the reference, the same one each time.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from django.conf import settings

from crypto_schemes.ciphers import mac


class Ending(StrEnum):
    """How a transaction ends, and when."""

    SUCCEED = "succeed"  # at once
    FAIL = "fail"  # at once (payout), or when the payer tries (UPI)
    SETTLE = "settle"  # in progress, then success
    GIVE_UP = "give_up"  # in progress, then refunded (payout) or expired (UPI)


_BY_PAISE = {1: Ending.FAIL, 2: Ending.SETTLE, 3: Ending.GIVE_UP, 4: Ending.SUCCEED}


def _draw(*parts: str) -> int:
    text = "|".join(parts).encode()
    return int.from_bytes(mac.sha256(settings.SANDBOX_SEED.encode(), text)[:8])


def number(below: int, *parts: str) -> int:
    """Return 0 to ``below`` - 1, always the same for the same ``parts`` and seed."""
    return _draw(*parts) % below


def digits(count: int, *parts: str) -> str:
    """Return ``count`` digits, always the same for the same ``parts`` and seed."""
    return f"{number(10**count, *parts):0{count}}"


def ending(amount: Decimal, odds: dict[Ending, int], *parts: str) -> Ending:
    """Return the ending the paise ask for, else one drawn by ``odds`` (percent)."""
    asked = _BY_PAISE.get(int(amount * 100) % 100)
    if asked is not None:
        return asked
    drawn = number(100, "ending", *parts)
    for found, percent in odds.items():
        if drawn < percent:
            return found
        drawn -= percent
    return Ending.SETTLE
