"""The worker's duties for WhatsApp flows. Tasks carry nothing: the rows say what is to be done."""

from __future__ import annotations

from typing import Final

from celery import shared_task

from callbacks.doorbell import doorbell
from callbacks.sweeper import duty
from flows_endpoint.whatsapp_flows import health, public_keys, update_work

#: Seconds after which a round of updates ends, so that a worker gets round to other duties.
LONGEST_ROUND: Final = 20.0
#: Seconds after which an unheard ring is void: beat has rung again since.
RING_EXPIRES: Final = 60


@duty
@shared_task(expires=RING_EXPIRES, ignore_result=True)
def process_updates() -> None:
    """Do what the stored updates mean."""
    update_work.process_due(LONGEST_ROUND)


@shared_task(expires=RING_EXPIRES, ignore_result=True)
def measure_health() -> None:
    """Measure how every endpoint does."""
    health.measure_all()


@shared_task(expires=3600, ignore_result=True)
def check_public_keys() -> None:
    """Compare every public key at the platform with ours."""
    public_keys.look_at_all()


def ring() -> None:
    """Have some worker look for updates. A broker that is away delays them by seconds."""
    doorbell.ring(process_updates)
