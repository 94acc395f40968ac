"""The doorbell of the outbox: whoever hears it delivers what is due.

The task carries nothing; the rows say what is to be done. Beat rings every few seconds, and each
worker looks by itself as often (callbacks/sweeper.py), so a lost ring costs seconds and no
delivery, and a broker that is away stops nothing.
"""

from __future__ import annotations

import threading

from celery import shared_task

from callbacks import retention
from callbacks.dispatcher import Round
from callbacks.doorbell import doorbell
from callbacks.slots import CALLS_AT_ONCE, Slots

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
        with Round(Slots(CALLS_AT_ONCE)) as round_:
            try:
                _rung.clear()
                is_done = round_.claim_and_call(_rung, LONGEST_ROUND)
            finally:
                # What this round still waits for holds up nobody: another may begin.
                _delivering.release()
            if not is_done:
                ring()  # behind whatever else waits for a worker


@shared_task(expires=RING_EXPIRES, ignore_result=True)
def go_on_with_replays() -> None:
    """Do the next pieces of the replays that run, whoever was at them before."""
    from callbacks import replaying  # noqa: PLC0415 - it rings by this module

    if not replaying.go_on():
        ring_replays()  # behind whatever else waits for a worker


@shared_task(expires=3600, ignore_result=True)
def forget_old_deliveries() -> None:
    """Delete the deliveries whose time is over."""
    retention.forget_old()


def ring() -> None:
    """Have some worker look for due deliveries. A broker that is away delays them by seconds."""
    doorbell.ring(deliver_due)


def ring_replays() -> None:
    """Have some worker look for running replays."""
    doorbell.ring(go_on_with_replays)
