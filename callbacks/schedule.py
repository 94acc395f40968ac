"""When a delivery is tried again.

Twelve further tries over three days: soon at first, because most failures are short, and then
rarely, because the rest are not. The waits add up to a grid (5 s, 35 s, 2 min 35 s, … 71 h 42 min
after the first attempt), and each try falls anywhere in its own step of that grid, all moments
alike: *full jitter*, so that what failed together does not come back together. Drawing each wait
from zero by itself, as full jitter is often done, would spread as well, but would use the three
days up in half the time.

An endpoint may have a schedule of its own. A try that comes late (nobody worked, the receiver asked
for rest) is followed by a full draw of the next step, not by a burst of what was missed.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

#: Seconds of each step; after the last one the delivery has failed for good.
WAITS: Final = (5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 43_200, 72_000, 86_400)
#: No draw is shorter, in seconds: a receiver that fails at once is not hammered.
SHORTEST: Final = 1.0

_random = random.SystemRandom()


def most_attempts(waits: Sequence[float] = ()) -> int:
    """Return how many attempts there are in all under ``waits`` (empty: the usual ones)."""
    return len(waits or WAITS) + 1


def wait_after(
    attempt: int,
    elapsed: timedelta = timedelta(0),
    waits: Sequence[float] = (),
    *,
    draw: float | None = None,
) -> timedelta | None:
    """Return how long to wait after the failed ``attempt`` (1 is the first), None to give up.

    ``elapsed`` has gone by since the first attempt of this round began. ``draw``, from 0 to 1,
    says where in its step the next one falls; drawn if not given.
    """
    steps = waits or WAITS
    if attempt > len(steps):
        return None
    part = _random.random() if draw is None else draw
    rest_of_last_step = max(0.0, sum(steps[: attempt - 1]) - elapsed.total_seconds())
    return timedelta(seconds=max(SHORTEST, rest_of_last_step + part * steps[attempt - 1]))
