"""The circuit breaker of an endpoint: a receiver that is away is asked now and then, not by all.

After :data:`THRESHOLD` outages in a row the breaker *opens* and nothing is sent, so deliveries wait
without using up their tries. When its time is over it is *half-open*: one delivery probes. If the
receiver answers, whatever it says, the breaker *closes*; if not, it opens for twice as long.

An outage is a failure of the network or an answer that says the receiver as a whole is away or
overrun (408, 429, 5xx). A refusal of one message (400, 404…) shows that it is there.

From the third outage on calls go one at a time, so that the break is noticed by few of them.

Source: M. Nygard, Release It! (2nd ed. 2018), "Circuit Breaker".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from callbacks.models import BreakerState

#: Outages in a row that open it. A receiver that fails every fifth call at random gets there
#: once in ten million calls.
THRESHOLD: Final = 10
#: Outages in a row from which on calls go one at a time.
CAREFUL: Final = 3
FIRST_REST: Final = timedelta(seconds=30)
LONGEST_REST: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Breaker:
    """Where it stands. ``opened_at`` is None while it is closed."""

    state: str = BreakerState.CLOSED
    failures: int = 0
    opened_at: datetime | None = None
    times_opened: int = 0

    @property
    def most_at_once(self) -> int | None:
        """Return how many calls may be under way; None for no limit of its own."""
        is_careful = self.failures >= CAREFUL or self.state != BreakerState.CLOSED
        return 1 if is_careful else None

    def closes_at(self) -> datetime | None:
        """Return when an open one may be probed, None if it is not open."""
        if self.state != BreakerState.OPEN or self.opened_at is None:
            return None
        return self.opened_at + rest(self.times_opened)

    def after_answer(self) -> Breaker:
        """Return it after the receiver answered, well or badly."""
        return Breaker()

    def after_outage(self, now: datetime) -> Breaker:
        """Return it after a call that found the receiver away."""
        failures = self.failures + 1
        if self.state == BreakerState.HALF_OPEN or (
            self.state == BreakerState.CLOSED and failures >= THRESHOLD
        ):
            return Breaker(BreakerState.OPEN, failures, now, self.times_opened + 1)
        # Open already: this call was under way when it opened.
        return replace(self, failures=failures)

    def probing(self) -> Breaker:
        """Return it with a probe under way."""
        return replace(self, state=BreakerState.HALF_OPEN)


def rest(times_opened: int) -> timedelta:
    """Return how long it stays open the ``times_opened``-th time in a row (from 1)."""
    doubled = FIRST_REST * (1 << min(max(times_opened - 1, 0), 10))
    return min(doubled, LONGEST_REST)
