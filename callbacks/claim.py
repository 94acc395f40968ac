"""Who delivers what: leases on due deliveries.

Claiming a delivery puts a fresh token and an end time on its row, in one statement that changes
the row only if nobody holds it, so two workers never hold one delivery at once. On
PostgreSQL the candidates are locked with ``SKIP LOCKED`` first, so that workers do not queue up
behind each other; on SQLite the conditional update alone decides.

The HTTP call happens between two short transactions, never inside one. A worker that dies lets its
lease run out and the delivery is claimed again. One that comes back late finds another
token on the row: its result is dropped, because the newer holder's will be written.
"""

from __future__ import annotations

import logging
import sys
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from callbacks import channels, schedule
from callbacks.channels import Result
from callbacks.models import Delivery, DeliveryState

logger = logging.getLogger(__name__)

#: How long a worker may hold a delivery: several times the longest attempt.
LEASE = timedelta(seconds=60)
#: How often to look again when others took every candidate.
_ROUNDS = 3


def claim_due(
    limit: int,
    *,
    most_of_one_flow: int = sys.maxsize,
    under_way: Mapping[uuid.UUID, int] = MappingProxyType({}),
) -> list[Delivery]:
    """Lease up to ``limit`` due deliveries, the longest due first, and count the attempt begun.

    At most ``most_of_one_flow`` of a flow, together with those it has ``under_way`` at the
    caller: a flow whose receiver is slow leaves room for the others. An empty list means
    that nothing is due that others do not hold and this allows.
    """
    for _ in range(_ROUNDS):
        if connection.features.has_select_for_update_skip_locked:
            with transaction.atomic():
                candidates = _candidates(limit, most_of_one_flow, under_way, locked=True)
                claimed = _lease(candidates)
        else:
            candidates = _candidates(limit, most_of_one_flow, under_way, locked=False)
            claimed = _lease(candidates)
        if claimed or not candidates:
            return claimed
    return []


def record(delivery: Delivery, result: Result) -> bool:
    """Write the result of the attempt that ``delivery`` was claimed for, and end the lease.

    The channel hears of it in the same transaction. Returns False, and writes nothing, when the
    lease is another's by now.
    """
    now = timezone.now()
    changes: dict[str, Any] = {
        "lease_token": None,
        "leased_until": None,
        "last_status": result.status,
        "last_error": result.error[:64],
    }
    wait = _wait(delivery, result)
    if result.is_delivered:
        changes |= {"state": DeliveryState.DELIVERED, "delivered_at": now}
    elif wait is None:
        changes |= {"state": DeliveryState.FAILED}
    else:
        changes |= {"next_attempt_at": now + wait}
    held = Delivery.objects.filter(
        pk=delivery.pk, state=DeliveryState.PENDING, lease_token=delivery.lease_token
    )
    try:
        with transaction.atomic():
            if held.update(**changes) != 1:
                logger.warning(
                    "The lease on delivery %s ran out; the late result is dropped.", delivery.pk
                )
                return False
            for name, value in changes.items():
                setattr(delivery, name, value)
            if delivery.channel in channels.names():
                channels.get(delivery.channel).settled(delivery, result)
    except Exception as error:  # noqa: BLE001 - one bad channel must not stop the others
        # The lease runs out, and the attempt is made again.
        logger.error("Delivery %s: no record, %s", delivery.pk, type(error).__name__)  # noqa: TRY400
        return False
    return True


def _wait(delivery: Delivery, result: Result) -> timedelta | None:
    """Return how long to wait for the next attempt; None to give up."""
    wait = None if result.is_permanent else schedule.wait_after(delivery.step)
    if wait is None:
        return None
    if result.wait is not None:
        return result.wait
    return max(wait, result.rest or wait)


def _free(now: datetime) -> Q:
    return Q(state=DeliveryState.PENDING, next_attempt_at__lte=now) & (
        Q(leased_until__isnull=True) | Q(leased_until__lte=now)
    )


def _candidates(
    limit: int, most_of_one_flow: int, under_way: Mapping[uuid.UUID, int], *, locked: bool
) -> list[uuid.UUID]:
    due = Delivery.objects.filter(_free(timezone.now())).order_by("next_attempt_at")
    if locked:
        due = due.select_for_update(skip_locked=True)
    of_flow = Counter(under_way)
    chosen: list[uuid.UUID] = []
    while wanted := limit - len(chosen):
        full = [flow_id for flow_id, number in of_flow.items() if number >= most_of_one_flow]
        others = due.exclude(flow_id__in=full).exclude(pk__in=chosen)
        found = list(others.values_list("pk", "flow_id")[:wanted])
        for pk, flow_id in found:
            if of_flow[flow_id] < most_of_one_flow:
                of_flow[flow_id] += 1
                chosen.append(pk)
        if len(found) < wanted:
            break
    return chosen


def _lease(candidates: Iterable[uuid.UUID]) -> list[Delivery]:
    token = uuid.uuid4()
    won = []
    for pk in candidates:
        now = timezone.now()
        changed = Delivery.objects.filter(_free(now), pk=pk).update(
            lease_token=token,
            leased_until=now + LEASE,
            attempts=F("attempts") + 1,
            step=F("step") + 1,
        )
        if changed == 1:
            won.append(pk)
    if not won:
        return []
    leased = Delivery.objects.select_related("flow").filter(pk__in=won, lease_token=token)
    return list(leased.order_by("next_attempt_at"))
