"""A round of deliveries: claim, have the calls made, write what became of them.

The thread that runs the round claims, seals and records; others make the calls and nothing
else, so the database is used over one connection and no call happens inside a transaction.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final, Self

from django.utils import timezone

from callbacks import sender, settle
from callbacks.attempt import Call
from callbacks.channels import Result
from callbacks.claim import Claimer
from callbacks.models import Delivery
from callbacks.settle import Finished
from callbacks.slots import Slots

#: What is due within so many seconds is waited for; the rest is found by the next ring or sweep.
LOOKS_AHEAD: Final = 5.0
#: Deliveries claimed at once: enough to share the cost of a claim (half of the calls that may be
#: under way, so that one half is claimed while the other is being answered), few enough that what
#: is answered meanwhile is recorded soon.
MOST_CLAIMED: Final = 64


@dataclass(frozen=True, slots=True)
class _UnderWay:
    delivery: Delivery
    begun: float


class Round:
    """Calls under way, and the deliveries they are for. Use as a context.

    Leaving the context waits for the calls still under way and records them.
    """

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._claimer = Claimer(slots.room)
        self._calls = ThreadPoolExecutor(slots.free, thread_name_prefix="callback")
        self._under_way: dict[Future[tuple[Result, Call | None]], _UnderWay] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._calls:
            while self._under_way:
                wait(self._under_way, return_when=FIRST_COMPLETED)
                self._record_finished()

    def claim_and_call(self, bell: threading.Event, seconds: float) -> bool:
        """Begin calls until nothing is due (True) or ``seconds`` are over (False).

        ``bell`` wakes it while it waits for receivers or for a time: something new is due.
        """
        until = time.monotonic() + seconds
        while True:
            bell.clear()
            self._record_finished()
            left = until - time.monotonic()
            if left <= 0:
                return False
            if self._begin_calls(bell):
                continue  # there may be more
            ahead = self._seconds_until_more()
            if not self._under_way and ahead > LOOKS_AHEAD:
                return True
            bell.wait(min(left, ahead))

    def _begin_calls(self, bell: threading.Event) -> bool:
        """Begin as many calls as there is room for; return whether there was anything."""
        free = min(self._slots.free, MOST_CLAIMED)
        if not free:
            return False
        claimed = self._claimer.claim(free)
        without_call = []
        for delivery in claimed:
            prepared = sender.prepare(delivery)
            if isinstance(prepared, Result):
                without_call.append(Finished(delivery, prepared))
                continue
            begun = self._slots.begin(delivery.endpoint_id, delivery.endpoint.concurrency)
            call = self._calls.submit(sender.post, delivery, prepared)
            self._under_way[call] = _UnderWay(delivery, begun)
            call.add_done_callback(lambda _: bell.set())
        if without_call:
            settle.record(without_call)
        return bool(claimed)

    def _record_finished(self) -> None:
        finished = []
        for call in [call for call in self._under_way if call.done()]:
            item = self._under_way.pop(call)
            result, made = call.result()
            self._slots.end(item.delivery.endpoint_id, item.begun, is_outage=result.is_outage)
            finished.append(Finished(item.delivery, result, made))
        if finished:
            settle.record(finished)

    def _seconds_until_more(self) -> float:
        """Return how long until something may be claimed that could not be now."""
        if not self._slots.free:
            return float("inf")  # a call has to end first, and rings the bell
        at = self._claimer.next_at()
        if at is None:
            return float("inf")
        return max(0.0, (at - timezone.now()).total_seconds())
