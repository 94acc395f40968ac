"""A receiver that fails a fifth of what it gets, at random, and remembers what it took."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace

from tests.support.receiver import Received, Receiver, Reply

#: How many of a hundred requests it fails.
FAILS = 20
#: Seconds within which it answers: a kill shall find calls under way.
_SLOWEST = 0.4
_FAILURES = (
    Reply(status=500),
    Reply(status=503),
    Reply(status=404),
    Reply(hang_up=True),
    Reply(reset=True),
)


@dataclass(frozen=True)
class Arrival:
    """One request: to which flow, which delivery, when, and whether it was taken.

    It is not answered before ``until``.
    """

    flow: str
    delivery: str
    at: float
    until: float
    taken: bool
    request: Received


class UnreliableReceiver(Receiver):
    """Callbacks of the flow NAME go to ``url_of(NAME)``."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self._random = random.Random(seed)
        self.arrivals: list[Arrival] = []
        self._taken: set[str] = set()

    def url_of(self, flow: str) -> str:
        """Return where callbacks of ``flow`` go."""
        return self.url_at(self.host, f"/{flow}")

    @property
    def taken(self) -> int:
        """Return how many deliveries were taken at least once."""
        with self._lock:
            return len(self._taken)

    def take(self, received: Received) -> Reply:
        with self._lock:
            fails = self._random.randrange(100) < FAILS
            reply = self._random.choice(_FAILURES) if fails else Reply()
            reply = replace(reply, delay=self._random.uniform(0, _SLOWEST))
            now = time.monotonic()
            delivery = received.headers["webhook-id"]
            self.arrivals.append(
                Arrival(
                    flow=received.target.removeprefix("/"),
                    delivery=delivery,
                    at=now,
                    until=now + reply.delay,
                    taken=not fails,
                    request=received,
                )
            )
            if not fails:
                self._taken.add(delivery)
            return reply
