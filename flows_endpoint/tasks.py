"""The worker's regular duties at the endpoint side."""

from __future__ import annotations

import time

from celery import shared_task
from django.utils import timezone

from callbacks.sweeper import duty
from flows_endpoint import exchange_log, housekeeping, sandbox_retention, timers, traffic
from flows_endpoint.guards import attempts, replay
from flows_endpoint.models import WorkerHeartbeat


@duty
@shared_task
def run_due_timers() -> None:
    """Run the sandboxes' due work."""
    timers.run_due()


@shared_task
def heartbeat() -> None:
    """Leave a sign of life for the readiness probe."""
    WorkerHeartbeat.objects.update_or_create(name="worker", defaults={"at": timezone.now()})


@shared_task
def forget_the_past() -> None:
    """Delete what is over: replay marks, attempt counts, old exchanges, the contracts' own."""
    replay.forget_expired(time.time())
    attempts.forget_expired(time.time())
    exchange_log.forget_old(time.time())
    housekeeping.run(time.time())


@shared_task
def forget_sandbox_records() -> None:
    """Delete what the sandboxes made and nobody needs any more."""
    sandbox_retention.forget_old()


@shared_task
def count_traffic() -> None:
    """Count the requests of the minutes that are over, for the first page of the admin."""
    traffic.count_what_is_over(timezone.now())
