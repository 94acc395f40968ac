"""The doorbell of the outbox: whoever hears it delivers what is due.

The task carries nothing; the rows say what is to be done. Beat rings every few seconds, so a
lost ring costs seconds and no delivery.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

from celery import shared_task

from callbacks import claim, sender
from callbacks.models import Delivery
from callbacks.sender import Result

logger = logging.getLogger(__name__)

#: Calls under way at once in one process.
CALLS_AT_ONCE = 8
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
    while _rung.is_set() and _delivering.acquire(blocking=False):
        try:
            _rung.clear()
            is_done = deliver(_rung)
        finally:
            _delivering.release()
        if not is_done:
            ring()  # behind whatever else waits for a worker
            return


def ring() -> None:
    """Have some worker look for due deliveries. A broker that is away delays them by seconds."""
    try:
        deliver_due.delay()
    except Exception as error:  # noqa: BLE001 - the rows are safe, and beat rings too
        logger.warning("The broker cannot be rung: %s", type(error).__name__)


def deliver(
    bell: threading.Event, *, at_once: int = CALLS_AT_ONCE, seconds: float = LONGEST_ROUND
) -> bool:
    """Deliver until nothing is due (True) or ``seconds`` are over (False).

    ``bell`` wakes it while it waits for slow receivers: something new is due. This thread
    claims, seals and records; others make the calls and nothing else, so the database is
    used over one connection and no call happens inside a transaction.
    """
    until = time.monotonic() + seconds
    under_way: dict[Future[Result], Delivery] = {}
    with ThreadPoolExecutor(at_once, thread_name_prefix="callback") as calls:
        while True:
            bell.clear()
            for call in [call for call in under_way if call.done()]:
                claim.record(under_way.pop(call), call.result())
            has_time = time.monotonic() < until
            free = at_once - len(under_way)
            claimed = claim.claim_due(free) if free and has_time else []
            for delivery in claimed:
                prepared = sender.prepare(delivery)
                if isinstance(prepared, Result):
                    claim.record(delivery, prepared)
                    continue
                call = calls.submit(sender.post, prepared)
                under_way[call] = delivery
                call.add_done_callback(lambda _: bell.set())
            if claimed and len(claimed) == free and len(under_way) < at_once:
                continue  # some came to nothing without a call, and more may be due
            if not under_way:
                return has_time
            bell.wait()
