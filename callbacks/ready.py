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

from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from callbacks.models import Delivery, DeliveryState, Urgency
from callbacks.statements import Statement, stored
from tenants import sql

# A *loose index scan*, which neither database does by itself. ``state`` is written out, not a
# parameter: the planners match it with the condition of the index. SQLite is told which one: where
# it thinks little of that, it makes an index of all that is pending for the one statement.
_INDEXED: Final = "INDEXED BY delivery_claimable"
_STEP: Final = """
SELECT endpoint_id FROM callbacks_delivery {indexed}
WHERE state = 'pending' AND next_attempt_at IS NOT NULL {beyond}
ORDER BY endpoint_id LIMIT 1
"""
_NEXT: Final = """(
    SELECT next_attempt_at FROM callbacks_delivery {indexed}
    WHERE state = 'pending' AND next_attempt_at IS NOT NULL
        AND endpoint_id = callbacks_endpoint.id AND urgency = {urgency}
    ORDER BY next_attempt_at LIMIT 1
)"""


def _with_anything(indexed: str) -> str:
    """Return what finds the ids of all endpoints with something pending."""
    first = _STEP.format(indexed=indexed, beyond="")
    next_ = _STEP.format(indexed=indexed, beyond="AND endpoint_id > stepped.endpoint_id")
    return f"""
    WITH RECURSIVE stepped (endpoint_id) AS (
        SELECT ({first})
        UNION ALL
        SELECT ({next_}) FROM stepped WHERE stepped.endpoint_id IS NOT NULL
    )
    SELECT endpoint_id FROM stepped WHERE endpoint_id IS NOT NULL
    """  # noqa: S608 - no part of it comes from outside


def _waiting(among: str, indexed: str = "") -> str:
    fresh = _NEXT.format(urgency=int(Urgency.FRESH), indexed=indexed)
    replay = _NEXT.format(urgency=int(Urgency.REPLAY), indexed=indexed)
    return f"""SELECT id, ready_at, {fresh}, {replay} FROM callbacks_endpoint
    WHERE state = 'active' AND id {among.format(_with_anything(indexed))} ORDER BY id
    """  # noqa: S608


_WAITING: Final = Statement(
    # Told ``IN``, PostgreSQL reads the whole list anew for each endpoint.
    postgresql=_waiting("= ANY (ARRAY({}))"),
    sqlite=_waiting("IN ({})", _INDEXED),
)
_WITH_ANYTHING: Final = Statement(_with_anything(""), _with_anything(_INDEXED))
#: The head of one range of the index.
_HEAD: Final = Statement(
    *(
        f"""
SELECT id FROM (
    SELECT id FROM callbacks_delivery {indexed}
    WHERE state = 'pending' AND next_attempt_at IS NOT NULL
        AND endpoint_id = %s AND urgency = {{urgency}} AND next_attempt_at <= %s
    ORDER BY next_attempt_at LIMIT %s
) AS head_{{number}}
"""  # noqa: S608
        for indexed in ("", _INDEXED)
    )
)
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
    return [
        Waiting(
            pk,
            sql.moment(ready_at),
            None if fresh_at is None else sql.moment(fresh_at),
            None if replay_at is None else sql.moment(replay_at),
        )
        for pk, ready_at, fresh_at, replay_at in sql.run(_WAITING.text).rows
    ]


def overdue(since: datetime) -> QuerySet[Delivery]:
    """Return the deliveries that could have gone before ``since``, endpoint by endpoint.

    Those that wait for a later time are not read.
    """
    with_anything = RawSQL(_WITH_ANYTHING.text, [])  # noqa: S611 - nothing from outside
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
    at, head = stored(now), _HEAD.text
    parts = [
        head.format(number=number, urgency=int(urgency))
        for number, (_, urgency, _) in enumerate(shares)
    ]
    values = [value for endpoint, _, most in shares for value in (endpoint, at, most)]
    return " UNION ALL ".join(parts), values
