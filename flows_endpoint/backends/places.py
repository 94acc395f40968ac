"""Upstream calls under way in one process: so many in all, and never all of them for one flow.

A call holds a thread while it waits. A service that hangs would soon hold every one of them, and
with them everybody else's requests. So a flow has at most three quarters of the places, those whose
services are slow share at most half (:mod:`callbacks.slots`), and who finds no place is refused at
once: nothing was sent.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from callbacks.errors import TransportError
from callbacks.slots import Slots
from flows_endpoint.exchange import Reason, Refusal

#: What the operator reads of a request that found no place.
NO_PLACE = "too_many_calls"


class Places:
    """Safe for use by many threads. ``clock`` counts seconds and never goes back."""

    def __init__(self, at_once: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._slots = Slots(at_once, clock)
        self._limit = max(1, at_once * 3 // 4)
        self._lock = threading.Lock()

    @contextmanager
    def taken(self, flow_id: str) -> Iterator[None]:
        """Have a place for a call for this flow. Raises Refusal (upstream_down) without one."""
        with self._lock:
            if not self._slots.room(flow_id):
                raise Refusal(Reason.UPSTREAM_DOWN, step=NO_PLACE)
            begun = self._slots.begin(flow_id, self._limit)
        is_outage = False
        try:
            yield
        except TransportError as error:
            is_outage = error.is_outage
            raise
        finally:
            with self._lock:
                self._slots.end(flow_id, begun, is_outage=is_outage)
