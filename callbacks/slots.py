"""Calls under way in one process: many in all, and never all of them for those that are slow.

A call holds one of :data:`CALLS_AT_ONCE` places while it waits for its receiver. Receivers that are
slow, or away, would fill them all, so their endpoints share at most half, and no endpoint takes
more than half of what is free. The other half turns over as fast as the good receivers answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Final

#: Calls under way at once in one process. Each is a thread that waits.
CALLS_AT_ONCE: Final = 128
#: An endpoint is slow while a call of it takes, or the last one took, so many seconds.
SLOW_SECONDS: Final = 1.0


@dataclass(slots=True)
class _Use:
    """Begin times of the calls of one endpoint, and how it was lately."""

    limit: int
    begun: list[float] = field(default_factory=list)
    was_slow: bool = False


class Slots:
    """The places of one process. Used by the one thread that claims.

    ``clock`` counts seconds and never goes back.
    """

    def __init__(
        self, at_once: int = CALLS_AT_ONCE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._at_once = at_once
        self._clock = clock
        self._uses: dict[Hashable, _Use] = {}

    @property
    def free(self) -> int:
        """Return how many calls may begin."""
        return self._at_once - sum(len(use.begun) for use in self._uses.values())

    def room(self, receiver: Hashable) -> int:
        """Return how many calls of the receiver (an endpoint, a flow) may begin."""
        use = self._uses.get(receiver)
        free = self.free
        room = -(-free // 2)
        if use is not None:
            room = min(room, use.limit - len(use.begun))
            if self._is_slow(use):
                slow = sum(len(each.begun) for each in self._uses.values() if self._is_slow(each))
                room = min(room, self._at_once // 2 - slow)
        return max(0, room)

    def begin(self, receiver: Hashable, limit: int) -> float:
        """Take a place for a call of the receiver; return what :meth:`end` wants.

        ``limit`` is how many calls of it may be under way at once over all processes.
        """
        use = self._uses.setdefault(receiver, _Use(limit))
        use.limit = limit
        begun = self._clock()
        use.begun.append(begun)
        return begun

    def end(self, receiver: Hashable, begun: float, *, is_outage: bool) -> None:
        """Give the place back."""
        use = self._uses[receiver]
        use.begun.remove(begun)
        use.was_slow = is_outage or self._clock() - begun >= SLOW_SECONDS
        if not use.begun and not use.was_slow:
            del self._uses[receiver]

    def _is_slow(self, use: _Use) -> bool:
        return use.was_slow or any(self._clock() - at >= SLOW_SECONDS for at in use.begun)
