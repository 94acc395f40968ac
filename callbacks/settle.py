"""Write down how attempts went: the attempt, the delivery, its lane, its endpoint, the business.

All of that in one transaction, for as many deliveries as are at hand. A result counts only while
its lease is still on the row: once it ran out and another worker claimed the delivery, the
newer holder's result will be written, and the late one is dropped.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final

from django.db import connection, transaction
from django.utils import timezone

from callbacks import attempt, channels, health, lanes, metrics, schedule
from callbacks.attempt import Call
from callbacks.channels import Result
from callbacks.models import Delivery, DeliveryState
from callbacks.statements import (
    Statement,
    as_json,
    for_sqlite,
    is_postgresql,
    statement,
    uuids,
)
from tenants import sql

logger = logging.getLogger(__name__)

_HELD: Final = statement(
    "SELECT id, lease_token FROM callbacks_delivery"
    " WHERE id {in_uuids} AND state = 'pending' ORDER BY id {for_update}"
)
_WRITE: Final = Statement(
    postgresql="""UPDATE callbacks_delivery SET lease_token = NULL, leased_until = NULL,
        state = said.state, next_attempt_at = said.next_attempt_at,
        last_status = said.last_status, last_error = said.last_error, settled_at = said.settled_at
    FROM json_to_recordset(%s) AS said (
        id uuid, state text, next_attempt_at timestamptz, last_status smallint, last_error text,
        settled_at timestamptz
    ) WHERE callbacks_delivery.id = said.id""",
    sqlite="""UPDATE callbacks_delivery SET lease_token = NULL, leased_until = NULL,
        state = %s, next_attempt_at = %s, last_status = %s, last_error = %s, settled_at = %s
    WHERE id = %s""",
)
#: What a result changes on its delivery.
_CHANGED: Final = (
    "state",
    "next_attempt_at",
    "last_status",
    "last_error",
    "settled_at",
    "lease_token",
    "leased_until",
)
_changed: Final = attrgetter(*_CHANGED)
#: Those that are written as they are, and the row they are written to.
_WRITTEN: Final = (*_CHANGED[:5], "id")
_written: Final = attrgetter(*_WRITTEN)


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
    claimed = [_changed(item.delivery) for item in finished]
    try:
        held = _record(finished)
    except Exception as error:  # noqa: BLE001 - one bad delivery must not stop the others
        for item, was in zip(finished, claimed, strict=True):
            for name, value in zip(_CHANGED, was, strict=True):
                setattr(item.delivery, name, value)
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
    lanes.hold(
        (item.delivery.endpoint_id, item.delivery.lane) for item in finished if item.delivery.lane
    )
    held = _held(finished)
    for item in held:
        _move_on(item.delivery, item.result, now)
    _write([item.delivery for item in held])
    attempt.write([attempt.row_of(item.delivery, item.result, item.call) for item in held])
    lanes.move_up(
        ((item.delivery.endpoint_id, item.delivery.lane) for item in held if item.delivery.lane),
        now,
    )
    known = {name: channels.get(name) for name in channels.names()}
    for item in held:
        if (channel := known.get(item.delivery.channel)) is not None:
            channel.settled(item.delivery, item.result)
    health.note([(item.delivery.endpoint_id, item.result, item.call is not None) for item in held])
    return held


def _held(finished: Sequence[Finished]) -> list[Finished]:
    """Lock the rows; return those whose lease is still the one they were claimed with."""
    done = sql.run(_HELD.text, [uuids([item.delivery.pk for item in finished])])
    tokens = {sql.uuid_of(pk): sql.uuid_of(token) for pk, token in done.rows if token is not None}
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
    wait = None if result.is_delivered else _wait(delivery, result, now)
    if wait is None:
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
    """Write the rows, whatever became of each."""
    if not deliveries:
        return
    if is_postgresql():
        rows = [dict(zip(_WRITTEN, _written(item), strict=True)) for item in deliveries]
        sql.run(_WRITE.postgresql, [as_json(rows)])
        return
    with connection.cursor() as cursor:
        cursor.executemany(_WRITE.sqlite, for_sqlite(map(_written, deliveries)))
