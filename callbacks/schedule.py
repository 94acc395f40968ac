"""When a delivery is tried again.

Twelve further tries over three days: soon at first, because most failures are short, and then
rarely, because the rest are not. Each wait varies by a fifth either way, so that what failed
together does not come back together.
"""

from __future__ import annotations

import random
from datetime import timedelta

#: Seconds after each failed attempt; after the last one the delivery has failed for good.
WAITS = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 43200, 72000, 86400)
MOST_ATTEMPTS = len(WAITS) + 1
JITTER = 0.2

_random = random.SystemRandom()


def wait_after(attempt: int) -> timedelta | None:
    """Return how long to wait after the failed ``attempt`` (1 is the first), None to give up."""
    if attempt > len(WAITS):
        return None
    return timedelta(seconds=WAITS[attempt - 1] * _random.uniform(1 - JITTER, 1 + JITTER))
