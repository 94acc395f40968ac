"""Which endpoints have something to be sent, found at a cost that no backlog changes.

A queue of rows in order of time would be read from its head, and a million rows of an endpoint
that is paused, broken or limited would stand there. So endpoints are asked, not rows: the index
``delivery_claimable`` is stepped through from endpoint to endpoint, one look-up for each that has
anything pending, and two more say when its next is due. Rows behind are never touched.

The index is the truth: nothing has to be told when a delivery is written, and nothing can be
forgotten.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection
from django.db.models import BooleanField, OuterRef, QuerySet, Subquery
from django.db.models.expressions import RawSQL

from callbacks.models import Delivery, DeliveryState, Endpoint, EndpointState, Urgency

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


#: The head of one range of the index.
_HEAD: Final = """
SELECT id FROM (
    SELECT id FROM callbacks_delivery
    WHERE state = 'pending' AND next_attempt_at IS NOT NULL
        AND endpoint_id = %s AND urgency = %s AND next_attempt_at <= %s
    ORDER BY next_attempt_at LIMIT %s
) AS head_{number}
"""


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
    rows = (
        Endpoint.objects.filter(_with_anything(), state=EndpointState.ACTIVE)
        .order_by("pk")
        .annotate(fresh_at=_next_due(Urgency.FRESH), replay_at=_next_due(Urgency.REPLAY))
        .values_list("pk", "ready_at", "fresh_at", "replay_at")
    )
    return [Waiting(*row) for row in rows]


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


def due_ids(shares: Sequence[tuple[int, int, int]], now: datetime) -> list[uuid.UUID]:
    """Return the longest due deliveries: of each endpoint and urgency up to so many.

    One statement for all of them, each part of it the head of its own range of the index.
    """
    if not shares:
        return []
    parts = [_HEAD.format(number=number) for number in range(len(shares))]
    moment = connection.ops.adapt_datetimefield_value(now)
    values = [
        value
        for endpoint, urgency, most in shares
        for value in (endpoint, int(urgency), moment, most)
    ]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), values)
        return [_uuid(value) for (value,) in cursor.fetchall()]


def _uuid(value: uuid.UUID | str) -> uuid.UUID:
    return value if isinstance(value, uuid.UUID) else uuid.UUID(value)


def _with_anything() -> RawSQL:
    """Return the condition that an endpoint has something pending.

    PostgreSQL is given an array: told ``IN``, it reads the whole list anew for each endpoint.
    """
    among = "= ANY (ARRAY({}))" if connection.vendor == "postgresql" else "IN ({})"
    condition = f'"{Endpoint._meta.db_table}"."id" {among.format(WITH_ANYTHING)}'
    return RawSQL(condition, [], output_field=BooleanField())  # noqa: S611 - nothing from outside


def _next_due(urgency: Urgency) -> Subquery:
    pending = Delivery.objects.filter(
        endpoint=OuterRef("pk"),
        state=DeliveryState.PENDING,
        next_attempt_at__isnull=False,
        urgency=urgency,
    )
    return Subquery(pending.order_by("next_attempt_at").values("next_attempt_at")[:1])
