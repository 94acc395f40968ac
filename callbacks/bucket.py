"""A token bucket: so many calls a second, and a few at once after a silence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Bucket:
    """``tokens`` as they were at the time ``at``; None: never used, and therefore full.

    ``rate`` tokens a second flow in, and no more than ``burst`` fit.
    """

    rate: float
    burst: int
    tokens: float = 0.0
    at: datetime | None = None

    def at_time(self, now: datetime) -> Bucket:
        """Return the bucket as it stands at ``now``. A clock that is behind adds nothing."""
        if self.at is None:
            return replace(self, tokens=float(self.burst), at=now)
        seconds = max(0.0, (now - self.at).total_seconds())
        tokens = min(float(self.burst), self.tokens + seconds * self.rate)
        return replace(self, tokens=tokens, at=max(self.at, now))

    def take(self, wanted: int, now: datetime) -> tuple[int, Bucket]:
        """Return how many of ``wanted`` there are tokens for, and the bucket without them."""
        filled = self.at_time(now)
        # A hair below a whole one is a whole one: sums of fractions fall short of it.
        taken = max(0, min(wanted, int(filled.tokens + 1e-9)))
        return taken, replace(filled, tokens=max(0.0, filled.tokens - taken))

    def next_at(self, now: datetime) -> datetime:
        """Return when there is a whole token, ``now`` or later."""
        filled = self.at_time(now)
        if filled.tokens >= 1 - 1e-9:
            return now
        since = filled.at or now
        return max(now, since + timedelta(seconds=(1 - filled.tokens) / self.rate))
