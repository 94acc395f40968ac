"""Lanes: deliveries of an endpoint that go out one by one, in the order they were made.

Only the first pending delivery of a lane, its *head*, has a time to go at; a unique index allows no
second. When the head is settled the next one becomes head, in the same transaction. So claiming
needs to know nothing of lanes, and a million deliveries behind a head that waits cost nothing.

What is tried again keeps its place, so it goes before what was made after it. What is part of a
replay goes in its order too, but behind everything fresh. Whoever comes to be first takes the time
to go at from the head, unless a worker holds that: then when its attempt is over.

Whoever adds to a lane, settles in it or takes out of it holds the lane until the transaction ends,
so the places are those of the commits: what others see is always in order. PostgreSQL does that
with an advisory lock of the transaction; SQLite has one writer at a time.

Locks are taken in one order: replays, lanes, deliveries, endpoints, audit trail.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import connection, models
from django.db.models import Max
from django.db.transaction import TransactionManagementError

from callbacks.models import Delivery, DeliveryState, Endpoint
from tenants import sql

#: The lane of an endpoint that keeps everything in order.
ONLY: Final = "*"

#: Endpoint and lane.
Lane = tuple[int, str]


def hold(lanes: Iterable[Lane]) -> None:
    """Hold each of ``lanes`` until the transaction ends. Raises TransactionManagementError."""
    for endpoint_id, lane in sorted(set(lanes)):
        if not connection.in_atomic_block:
            raise TransactionManagementError("A lane is held for the time of a transaction.")
        if lane and connection.vendor == "postgresql":
            sql.run("SELECT pg_advisory_xact_lock(%s)", [_number(endpoint_id, lane)])


def lane_of(endpoint: Endpoint, wanted: str) -> str:
    """Return the lane of a new delivery that asked for ``wanted``; empty for none."""
    return wanted or (ONLY if endpoint.is_fifo else "")


def place(delivery: Delivery, now: datetime) -> None:
    """Give ``delivery`` the last place of its lane, which is held; head of it if it is first."""
    last = _all(delivery.endpoint_id, delivery.lane).aggregate(last=Max("position"))["last"]
    delivery.position = (last or 0) + 1
    others = _pending(delivery.endpoint_id, delivery.lane).exclude(pk=delivery.pk)
    is_first = not others.filter(urgency__lte=delivery.urgency).exists()
    # The head need not be the first of the others: a worker may be at it since before that came.
    head = others.filter(next_attempt_at__isnull=False).values_list("pk", flat=True).first()
    goes_now = is_first and (head is None or _step_back(head))
    delivery.next_attempt_at = now if goes_now else None


def move_up(lanes: Iterable[Lane], now: datetime) -> None:
    """Make the first pending delivery of each lane, which are held, its head.

    One that a worker holds stays head until its attempt is over.
    """
    for endpoint_id, lane in sorted(set(lanes)):
        pending = _pending(endpoint_id, lane)
        first = pending.order_by("urgency", "position").only("pk", "next_attempt_at").first()
        if first is None or first.next_attempt_at is not None:
            continue
        head = pending.filter(next_attempt_at__isnull=False).values_list("pk", flat=True).first()
        if head is None or _step_back(head):
            Delivery.objects.filter(pk=first.pk).update(next_attempt_at=now)


def _step_back(head: UUID) -> bool:
    """Take its time to go at from a head; False if a worker holds it."""
    free = Delivery.objects.filter(
        pk=head, state=DeliveryState.PENDING, lease_token__isnull=True
    ).order_by()
    return free.update(next_attempt_at=None) == 1


def _all(endpoint_id: int, lane: str) -> models.QuerySet[Delivery]:
    return Delivery.objects.filter(endpoint=endpoint_id, lane=lane).exclude(lane="").order_by()


def _pending(endpoint_id: int, lane: str) -> models.QuerySet[Delivery]:
    return _all(endpoint_id, lane).filter(state=DeliveryState.PENDING)


def _number(endpoint_id: int, lane: str) -> int:
    """Return the signed 64-bit number by which PostgreSQL knows the lane.

    Two lanes with one number would wait for each other and do no harm.
    """
    digest = hashlib.sha256(f"callbacks.lane|{endpoint_id}|{lane}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
