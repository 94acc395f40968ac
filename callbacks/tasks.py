"""The doorbell of the outbox: whoever hears it delivers what is due.

The task carries nothing; the rows say what is to be done. Beat rings every few seconds, so a
lost ring costs seconds and no delivery.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Self

from celery import shared_task

from callbacks import claim, sender
from callbacks.channels import Result
from callbacks.models import Delivery

logger = logging.getLogger(__name__)

#: Calls under way at once in one process, and those of them to the receiver of one flow.
CALLS_AT_ONCE = 16
CALLS_OF_ONE_FLOW = 4
#: Seconds after which a round claims nothing more, so that a worker gets round to other duties.
LONGEST_ROUND = 20.0
#: Seconds after which an unheard ring is void: beat has rung again since, many times.
RING_EXPIRES = 60

_delivering = threading.Lock()
_rung = threading.Event()


@shared_task(expires=RING_EXPIRES, ignore_result=True)
def deliver_due() -> None:
    """Deliver what is due; where a thread of this process is at it, have that one look again."""
    _rung.set()
    is_done = True
    while is_done and _rung.is_set() and _delivering.acquire(blocking=False):
        with _Round(CALLS_AT_ONCE, CALLS_OF_ONE_FLOW) as round_:
            try:
                _rung.clear()
                is_done = round_.claim_and_call(_rung, LONGEST_ROUND)
            finally:
                # What this round still waits for holds up nobody: another may begin.
                _delivering.release()
            if not is_done:
                ring()  # behind whatever else waits for a worker


def ring() -> None:
    """Have some worker look for due deliveries. A broker that is away delays them by seconds."""
    try:
        deliver_due.delay()
    except Exception as error:  # noqa: BLE001 - the rows are safe, and beat rings too
        logger.warning("The broker cannot be rung: %s", type(error).__name__)


class _Round:
    """Calls under way, and the deliveries they are for. Use as a context.

    The thread that runs the round claims, seals and records; others make the calls and
    nothing else, so the database is used over one connection and no call happens inside a
    transaction. Leaving the context waits for the calls still under way and records them.
    """

    def __init__(self, at_once: int, of_one_flow: int) -> None:
        self._at_once = at_once
        self._of_one_flow = of_one_flow
        self._calls = ThreadPoolExecutor(at_once, thread_name_prefix="callback")
        self._under_way: dict[Future[Result], Delivery] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._calls:
            while self._under_way:
                wait(self._under_way, return_when=FIRST_COMPLETED)
                self._record_finished()

    def claim_and_call(self, bell: threading.Event, seconds: float) -> bool:
        """Begin calls until nothing is due (True) or ``seconds`` are over (False).

        ``bell`` wakes it while it waits for slow receivers: something new is due.
        """
        until = time.monotonic() + seconds
        while True:
            bell.clear()
            self._record_finished()
            left = until - time.monotonic()
            if left <= 0:
                return False
            if self._begin_calls(bell):
                continue  # some came to nothing without a call, and more may be due
            if not self._under_way:
                return True
            bell.wait(left)

    def _begin_calls(self, bell: threading.Event) -> bool:
        """Begin as many calls as there is room for; return whether a delivery needed none."""
        free = self._at_once - len(self._under_way)
        if not free:
            return False
        of_flow = Counter(delivery.flow_id for delivery in self._under_way.values())
        without_call = False
        for delivery in claim.claim_due(
            free, most_of_one_flow=self._of_one_flow, under_way=of_flow
        ):
            prepared = sender.prepare(delivery)
            if isinstance(prepared, Result):
                claim.record(delivery, prepared)
                without_call = True
                continue
            call = self._calls.submit(sender.post, delivery, prepared)
            self._under_way[call] = delivery
            call.add_done_callback(lambda _: bell.set())
        return without_call

    def _record_finished(self) -> None:
        for call in [call for call in self._under_way if call.done()]:
            claim.record(self._under_way.pop(call), call.result())
