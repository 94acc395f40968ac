"""Write down how attempts went: the attempt, the delivery, its lane, its endpoint, the business.

All of that in one transaction, for as many deliveries as are at hand. A result counts only while
its lease is still on the row: once it ran out and another worker claimed the delivery, the
newer holder's result will be written, and the late one is dropped.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from callbacks import channels, health, lanes, metrics, schedule
from callbacks.attempt import Call, attempt_row
from callbacks.channels import Result
from callbacks.models import Attempt, Delivery, DeliveryState

logger = logging.getLogger(__name__)

_WRITTEN: Final = (
    "state",
    "next_attempt_at",
    "lease_token",
    "leased_until",
    "last_status",
    "last_error",
    "settled_at",
)


@dataclass(frozen=True, slots=True)
class Finished:
    """A claimed delivery whose attempt is over. ``call`` is None where nothing was sent."""

    delivery: Delivery
    result: Result
    call: Call | None = None


def record(finished: Sequence[Finished]) -> list[Delivery]:
    """Write the results and end the leases; return the deliveries that were still held.

    One that cannot be written (its channel raised) is left to its lease, and the attempt is
    made again.
    """
    try:
        held = _record(finished)
    except Exception as error:  # noqa: BLE001 - one bad delivery must not stop the others
        if len(finished) == 1:
            logger.error(  # noqa: TRY400 - a traceback may quote what was sent
                "Delivery %s: no record, %s", finished[0].delivery.pk, type(error).__name__
            )
            return []
    else:
        for item in held:
            metrics.observe(item.delivery.channel, item.result, item.call)
        return [item.delivery for item in held]
    return [delivery for each in finished for delivery in record([each])]


@transaction.atomic
def _record(finished: Sequence[Finished]) -> list[Finished]:
    now = timezone.now()
    lanes.hold((item.delivery.endpoint_id, item.delivery.lane) for item in finished)
    # Copies: should this be undone, the deliveries still are as they were claimed.
    held = [replace(item, delivery=copy(item.delivery)) for item in _held(finished)]
    for item in held:
        _move_on(item.delivery, item.result, now)
    _write([item.delivery for item in held])
    Attempt.objects.bulk_create(
        [attempt_row(item.delivery, item.result, item.call) for item in held],
        ignore_conflicts=True,
    )
    lanes.move_up(
        ((item.delivery.endpoint_id, item.delivery.lane) for item in held if item.delivery.lane),
        now,
    )
    for item in held:
        if item.delivery.channel in channels.names():
            channels.get(item.delivery.channel).settled(item.delivery, item.result)
    health.note([(item.delivery.endpoint_id, item.result, item.call is not None) for item in held])
    return held


def _held(finished: Sequence[Finished]) -> list[Finished]:
    """Lock the rows; return those whose lease is still the one they were claimed with."""
    tokens = dict(
        Delivery.objects.select_for_update(no_key=True)
        .filter(pk__in=[item.delivery.pk for item in finished], state=DeliveryState.PENDING)
        .order_by("pk")
        .values_list("pk", "lease_token")
    )
    held = []
    for item in finished:
        token = item.delivery.lease_token
        if token is not None and tokens.get(item.delivery.pk) == token:
            held.append(item)
        else:
            logger.warning(
                "The lease on delivery %s ran out; the late result is dropped.", item.delivery.pk
            )
    return held


def _move_on(delivery: Delivery, result: Result, now: datetime) -> None:
    """Set on ``delivery`` what follows from ``result``."""
    delivery.lease_token = delivery.leased_until = None
    delivery.last_status, delivery.last_error = result.status, result.error[:64]
    wait = _wait(delivery, result, now)
    if result.is_delivered or wait is None:
        delivery.state = DeliveryState.DELIVERED if result.is_delivered else DeliveryState.FAILED
        delivery.settled_at, delivery.next_attempt_at = now, None
    else:
        delivery.next_attempt_at = now + wait


def _wait(delivery: Delivery, result: Result, now: datetime) -> timedelta | None:
    """Return how long to wait for the next attempt; None to give up."""
    if result.is_permanent:
        return None
    waits = delivery.endpoint.schedule
    wait = schedule.wait_after(delivery.step, now - (delivery.round_at or now), waits)
    if wait is None:
        return None
    if result.wait is not None:
        return result.wait
    return max(wait, result.rest or wait)


def _write(deliveries: Sequence[Delivery]) -> None:
    """Write the rows: those that simply arrived together, the others each for itself."""
    arrived: dict[tuple[int | None, datetime | None], list[Delivery]] = {}
    others = []
    for delivery in deliveries:
        if delivery.state == DeliveryState.DELIVERED:
            arrived.setdefault((delivery.last_status, delivery.settled_at), []).append(delivery)
        else:
            others.append(delivery)
    for (status, settled_at), group in arrived.items():
        Delivery.objects.filter(pk__in=[delivery.pk for delivery in group]).update(
            state=DeliveryState.DELIVERED,
            lease_token=None,
            leased_until=None,
            last_status=status,
            last_error="",
            next_attempt_at=None,
            settled_at=settled_at,
        )
    for delivery in others:
        delivery.save(update_fields=_WRITTEN)
