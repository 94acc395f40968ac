"""Deliveries that are over are forgotten after SEALGATE_DELIVERY_DAYS, attempts with them.

What is pending stays whatever its age, and so does what a running replay has yet to look at. A
replay goes when it is over, as old, and none of its deliveries is left.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from callbacks.models import Delivery, DeliveryState, Replay, ReplayState
from tenants.deletion import delete_in_batches

#: Deliveries deleted in one transaction, each with its attempts: nobody waits for it long.
_AT_ONCE: Final = 500


def forget_old(now: datetime | None = None) -> int:
    """Delete what is past its time; returns how many deliveries and replays."""
    before = (now or timezone.now()) - timedelta(days=settings.DELIVERY_DAYS)
    deleted = 0
    while some := _delete_some(_over(before)):
        deleted += some
    its_own = Delivery.objects.filter(replay=OuterRef("pk")).order_by()
    over = Replay.objects.exclude(state=ReplayState.RUNNING).filter(ended_at__lt=before)
    replays = over.exclude(Exists(its_own)).order_by("ended_at")
    return deleted + delete_in_batches(replays, _AT_ONCE)


def _over(before: datetime) -> QuerySet[Delivery]:
    """Return what was settled ``before`` and nobody needs any more, the oldest first."""
    old = Delivery.objects.filter(settled_at__lt=before).exclude(state=DeliveryState.PENDING)
    for replay in Replay.objects.filter(state=ReplayState.RUNNING):
        reached = replay.cursor_at or replay.since
        old = old.exclude(Q(created_at__gte=reached) & Q(created_at__lt=replay.until))
    return old.order_by("settled_at")


@transaction.atomic
def _delete_some(rows: QuerySet[Delivery]) -> int:
    # Locked: one that somebody sends again at this moment is pending, and stays.
    locked = rows.select_for_update(skip_locked=True)
    some = list(locked.values_list("pk", flat=True)[:_AT_ONCE])
    if some:
        Delivery.objects.filter(pk__in=some).delete()
    return len(some)
