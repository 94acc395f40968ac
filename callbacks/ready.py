"""Which endpoints have something to be sent, found at a cost that no backlog changes.

A queue of rows in order of time would be read from its head, and a million rows of an endpoint
that is paused, broken or limited would stand there. So endpoints are asked, not rows: the index
``delivery_claimable`` is stepped through from endpoint to endpoint, one look-up for each that has
anything pending, and two more say when its next is due. Rows behind are never touched.

The index is the truth: nothing has to be told when a delivery is written, and nothing can be
forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection
from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from callbacks.models import Delivery, DeliveryState, Urgency
from callbacks.statements import Statement, moment, stored

# A *loose index scan*, which neither database does by itself. ``state`` is written out, not a
# parameter: the planners match it with the condition of the index.
_STEP: Final = """
SELECT endpoint_id FROM callbacks_delivery
WHERE state = 'pending' AND next_attempt_at IS NOT NULL {beyond}
ORDER BY endpoint_id LIMIT 1
"""
#: The ids of all endpoints with something pending.
WITH_ANYTHING: Final = f"""
WITH RECURSIVE stepped (endpoint_id) AS (
    SELECT ({_STEP.format(beyond="")})
    UNION ALL
    SELECT ({_STEP.format(beyond="AND endpoint_id > stepped.endpoint_id")})
    FROM stepped WHERE stepped.endpoint_id IS NOT NULL
)
SELECT endpoint_id FROM stepped WHERE endpoint_id IS NOT NULL
"""  # noqa: S608 - no part of it comes from outside

_NEXT: Final = """(
    SELECT next_attempt_at FROM callbacks_delivery
    WHERE state = 'pending' AND next_attempt_at IS NOT NULL
        AND endpoint_id = callbacks_endpoint.id AND urgency = {urgency}
    ORDER BY next_attempt_at LIMIT 1
)"""
# PostgreSQL is given an array: told ``IN``, it reads the whole list anew for each endpoint.
_WAITING: Final = Statement(
    *(
        f"""SELECT id, ready_at, {_NEXT.format(urgency=0)}, {_NEXT.format(urgency=1)}
        FROM callbacks_endpoint
        WHERE state = 'active' AND id {among.format(WITH_ANYTHING)} ORDER BY id"""  # noqa: S608
        for among in ("= ANY (ARRAY({}))", "IN ({})")
    )
)
#: The head of one range of the index.
_HEAD: Final = """
SELECT id FROM (
    SELECT id FROM callbacks_delivery
    WHERE state = 'pending' AND next_attempt_at IS NOT NULL
        AND endpoint_id = %s AND urgency = {urgency} AND next_attempt_at <= %s
    ORDER BY next_attempt_at LIMIT %s
) AS head_{number}
"""
#: How many of which urgency of an endpoint.
Share = tuple[int, Urgency, int]


@dataclass(frozen=True, slots=True)
class Waiting:
    """An active endpoint with something pending. ``fresh_at`` and ``replay_at`` are when the next
    fresh delivery and the next of a replay are due; None where there is none.
    """

    endpoint_id: int
    ready_at: datetime
    fresh_at: datetime | None
    replay_at: datetime | None

    @property
    def at(self) -> datetime:
        """Return when something of it may be sent."""
        due = [moment for moment in (self.fresh_at, self.replay_at) if moment is not None]
        return max(self.ready_at, min(due, default=self.ready_at))


def waiting() -> list[Waiting]:
    """Return every active endpoint with something pending, by its number."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING.text)
        rows = cursor.fetchall()
    return [
        Waiting(
            pk,
            moment(ready_at),
            None if fresh_at is None else moment(fresh_at),
            None if replay_at is None else moment(replay_at),
        )
        for pk, ready_at, fresh_at, replay_at in rows
    ]


def overdue(since: datetime) -> QuerySet[Delivery]:
    """Return the deliveries that could have gone before ``since``, endpoint by endpoint.

    Those that wait for a later time are not read.
    """
    with_anything = RawSQL(WITH_ANYTHING, [])  # noqa: S611 - nothing from outside
    return Delivery.objects.filter(
        endpoint__in=with_anything,
        urgency__in=Urgency.values,
        state=DeliveryState.PENDING,
        next_attempt_at__lt=since,
    ).order_by()


def longest_due(shares: Sequence[Share], now: datetime) -> tuple[str, list[Any]]:
    """Return the statement that finds the longest due deliveries, and its values.

    Of each endpoint and urgency up to so many, each part of it the head of its own range of the
    index. There is at least one share.
    """
    at = stored(now)
    parts = [
        _HEAD.format(number=number, urgency=int(urgency))
        for number, (_, urgency, _) in enumerate(shares)
    ]
    values = [value for endpoint, _, most in shares for value in (endpoint, at, most)]
    return " UNION ALL ".join(parts), values
