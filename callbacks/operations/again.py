"""Take settled deliveries back into the queue, and waiting ones out of it; lanes stay in order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from callbacks import lanes
from callbacks.models import Delivery, DeliveryState, Replay, Urgency


def lock(deliveries: Iterable[Delivery], condition: Q) -> list[Delivery]:
    """Hold the lanes of ``deliveries`` and lock those rows that meet ``condition`` now."""
    known = list(deliveries)
    lanes.hold((delivery.endpoint_id, delivery.lane) for delivery in known)
    rows: QuerySet[Delivery] = Delivery.objects.filter(
        condition, pk__in=[delivery.pk for delivery in known]
    )
    return list(
        rows.select_for_update(no_key=True, of=("self",))
        .select_related("flow", "endpoint")
        .defer("body")
        .order_by("pk")
    )


def send_again(
    deliveries: Sequence[Delivery],
    now: datetime,
    *,
    urgency: Urgency = Urgency.FRESH,
    replay: Replay | None = None,
) -> None:
    """Make locked ``deliveries`` due, with the whole schedule before them.

    In a lane each keeps its place and waits for its turn.
    """
    fresh_start = {
        "state": DeliveryState.PENDING,
        "step": 0,
        "round_at": None,
        "settled_at": None,
        "lease_token": None,
        "leased_until": None,
        "urgency": urgency,
        "replay": replay,
    }
    _rows(item.pk for item in deliveries if not item.lane).update(
        **fresh_start, next_attempt_at=now
    )
    in_lanes = [item for item in deliveries if item.lane]
    # A head stays head, and goes now; the others get their time from it.
    heads = [item.pk for item in in_lanes if item.next_attempt_at is not None]
    _rows(heads).update(**fresh_start, next_attempt_at=now)
    _rows(item.pk for item in in_lanes if item.next_attempt_at is None).update(
        **fresh_start, next_attempt_at=None
    )
    lanes.move_up(((item.endpoint_id, item.lane) for item in in_lanes), now)


def take_out(deliveries: Sequence[Delivery], now: datetime) -> None:
    """Cancel locked ``deliveries``; the next in their lanes move up."""
    _rows(item.pk for item in deliveries).update(
        state=DeliveryState.CANCELLED,
        settled_at=now,
        next_attempt_at=None,
        lease_token=None,
        leased_until=None,
    )
    lanes.move_up(((item.endpoint_id, item.lane) for item in deliveries if item.lane), now)


def _rows(ids: Iterable[UUID]) -> QuerySet[Delivery]:
    return Delivery.objects.filter(pk__in=list(ids)).order_by()
