"""What a receiver asks for with Retry-After (RFC 9110 §10.2.3), within bounds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from django.utils import timezone

#: A receiver that asks for more is asked again by then.
LONGEST: Final = timedelta(hours=24)
SHORTEST: Final = timedelta(seconds=1)


def read(value: str | None, now: datetime | None = None) -> timedelta | None:
    """Return how long ``value`` (seconds or an HTTP-date) asks to wait from ``now`` on.

    None for a header that is missing or says nothing. Never less than :data:`SHORTEST` nor more
    than :data:`LONGEST`.
    """
    text = (value or "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        # More digits than any bound needs; int() of thousands of them takes long.
        asked = LONGEST if len(text) > 9 else timedelta(seconds=int(text))
    else:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        asked = moment - (now or timezone.now())
    return min(max(asked, SHORTEST), LONGEST)
