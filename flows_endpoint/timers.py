"""Work of a sandbox that is due later: a call that ends, a payment that settles.

A timer is a row. The handler runs in the transaction that deletes the row, so its work is
done exactly once in the database however often a worker dies. Handlers touch the database only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from flows_endpoint import rows
from flows_endpoint.models import Timer
from tenants import trace

logger = logging.getLogger(__name__)

_Handler = Callable[[Timer], None]
_handlers: dict[str, _Handler] = {}
#: After so many failures a timer waits for a person; it stays in the table.
MOST_FAILURES = 10


def handler(kind: str) -> Callable[[_Handler], _Handler]:
    """Register the decorated function for timers of ``kind`` (``kairos.end_call``)."""

    def register(function: _Handler) -> _Handler:
        _handlers[kind] = function
        return function

    return register


def schedule(flow_id: str, kind: str, subject: str, due_at: datetime) -> None:
    """Have the handler of ``kind`` run for ``subject`` at ``due_at``, after this commits."""
    schedule_many(flow_id, kind, [(subject, due_at)])


def schedule_many(flow_id: str, kind: str, due: Iterable[tuple[str, datetime]]) -> None:
    """Do what :func:`schedule` does for each ``(subject, due_at)``, in as few statements as fit."""
    rows.insert(planned(flow_id, kind, subject, due_at) for subject, due_at in due)


def planned(flow_id: str, kind: str, subject: str, due_at: datetime) -> Timer:
    """Return the row of a timer, for who inserts it together with others (flows_endpoint.rows)."""
    if kind not in _handlers:
        raise KeyError(f"no handler for {kind}")
    return Timer(
        flow_id=flow_id,
        kind=kind,
        subject=subject,
        due_at=due_at,
        traceparent=trace.parent_header(),
    )


def sandbox_delay(seconds: float) -> timedelta:
    """Return ``seconds`` of simulated waiting as real time (SEALGATE_SANDBOX_SPEED)."""
    return timedelta(seconds=seconds / settings.SANDBOX_SPEED)


def run_due(limit: int = 200) -> int:
    """Run up to ``limit`` due timers, each in its own transaction; returns how many ran."""
    ran = 0
    tried: list[str] = []
    while len(tried) < limit:
        with transaction.atomic():
            timer = (
                Timer.objects.select_for_update(skip_locked=True)
                .filter(due_at__lte=timezone.now(), failures__lt=MOST_FAILURES)
                .exclude(pk__in=tried)
                .order_by("due_at")
                .first()
            )
            if timer is None:
                break
            tried.append(str(timer.pk))
            ran += _run(timer)
    return ran


def _run(timer: Timer) -> int:
    try:
        with transaction.atomic(), trace.within(trace.begin(timer.traceparent)):
            _handlers[timer.kind](timer)
            timer.delete()
    except Exception as error:  # noqa: BLE001 - one bad timer must not stop the others
        logger.error("Timer %s failed: %s", timer, type(error).__name__)  # noqa: TRY400
        timer.failures += 1
        timer.due_at = timezone.now() + timedelta(seconds=5 * 2**timer.failures)
        timer.save(update_fields=["failures", "due_at"])
        return 0
    return 1
