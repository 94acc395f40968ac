"""Which keys need somebody: for the first page, its list, and whoever else counts them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q

from tenants.lifecycle import near_expiry
from tenants.models import KeyState

#: An old version still in use this close to its end needs somebody.
_SOON: Final = timedelta(days=2)
_IN_USE: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Kind:
    """A reason, in words, and the condition for keys at a moment."""

    title: str
    condition: Callable[[datetime], Q]


def is_lagging(now: datetime) -> Q:
    """Return the condition for old versions used today that end within two days."""
    return Q(
        state=KeyState.RETIRING,
        accept_until__lte=now + _SOON,
        last_used_at__gte=now - _IN_USE,
    )


def needs_somebody(now: datetime) -> Q:
    """Return the condition for every key that somebody should look at."""
    return is_lagging(now) | near_expiry(now)


KINDS: Final[Mapping[str, Kind]] = {
    "any": Kind("Needs attention", needs_somebody),
    "lagging": Kind("Old, in use, ends within two days", is_lagging),
    "expiring": Kind("Expires within 30 days, or is over", near_expiry),
    "pressing": Kind("Expires within a day, or is over", lambda now: near_expiry(now, 1)),
    "destruction": Kind("Waits to be erased", lambda now: Q(destroy_at__isnull=False)),
}
