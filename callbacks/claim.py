"""Who delivers what: leases on due deliveries, fair between endpoints.

Claiming a delivery puts a fresh token and an end time on its row, so two workers never hold one
delivery at once. The HTTP call happens between two short transactions, never inside one. A worker
that dies lets its lease run out and the delivery is due again; one that comes back late finds
another token on the row, and its result is dropped (callbacks/settle.py).

Endpoints take turns. A claim locks the rows of the next few endpoints that are ready, passing
over those another worker is at, sees how much each may have (circuit breaker, calls at once, rate
limit) and takes that from its own index range, the longest due first. So neither a backlog nor a
receiver that is away holds up anybody else, and the limits hold across all workers.

On PostgreSQL the rows are locked with ``SKIP LOCKED``; on SQLite a transaction that writes is
alone, and the update that leases changes a row only if it is still free.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Count, F
from django.db.models.functions import Coalesce
from django.utils import timezone

from callbacks import allowance, ready
from callbacks.models import Attempt, Delivery, DeliveryState, Endpoint, Urgency
from callbacks.ready import Waiting

logger = logging.getLogger(__name__)

#: How long a worker may hold a delivery: several times the longest attempt.
LEASE: Final = timedelta(seconds=4 * settings.CALLBACK_SECONDS)
#: Seconds for which an endpoint is left alone whose row another worker held, and one that had
#: nothing to give: as many calls as may be are under way elsewhere.
_LOCKED: Final = 0.02
_NOTHING: Final = 0.1
#: Endpoints locked by one transaction.
_AT_ONCE: Final = 16

#: How many more deliveries of an endpoint the caller has room for.
Room = Callable[[int], int]


def _any_number(_: int) -> int:
    return 1_000_000


class Claimer:
    """Takes turns between the endpoints. One for each thread that claims."""

    def __init__(self, room: Room = _any_number) -> None:
        self._room = room
        self._turn: deque[Waiting] = deque()
        self._known: list[Waiting] = []
        self._last = 0
        self._passed_over: dict[int, float] = {}

    def claim(self, limit: int) -> list[Delivery]:
        """Lease up to ``limit`` due deliveries; an empty list means that nothing can be had now."""
        if len(self._turn) < min(limit, _AT_ONCE):
            self._look()
        claimed: list[Delivery] = []
        while (left := limit - len(claimed)) and (batch := self._next_turn(left)):
            claimed += self._claim_of(batch, left)
        return claimed

    def next_at(self) -> datetime | None:
        """Return when there may be something to claim, as seen at the last look; None for never."""
        now, clock = timezone.now(), time.monotonic()
        moments = []
        for waiting in self._known:
            if self._room(waiting.endpoint_id) <= 0:
                continue  # one of the caller's own calls has to end first
            left_alone = max(0.0, self._passed_over.get(waiting.endpoint_id, clock) - clock)
            moments.append(max(waiting.at, now + timedelta(seconds=left_alone)))
        return min(moments, default=None)

    def _look(self) -> None:
        """Ask who is waiting; the turn goes on after the endpoint that was served last."""
        self._known = ready.waiting()
        clock = time.monotonic()
        self._passed_over = {pk: at for pk, at in self._passed_over.items() if at > clock}
        now = timezone.now()
        due = [item for item in self._known if item.at <= now]
        after = [item for item in due if item.endpoint_id > self._last]
        self._turn = deque(after + [item for item in due if item.endpoint_id <= self._last])

    def _next_turn(self, most: int) -> list[Waiting]:
        batch: list[Waiting] = []
        while self._turn and len(batch) < min(most, _AT_ONCE):
            waiting = self._turn.popleft()
            self._last = waiting.endpoint_id
            is_left_alone = self._passed_over.get(waiting.endpoint_id, 0) > time.monotonic()
            if not is_left_alone and self._room(waiting.endpoint_id) > 0:
                batch.append(waiting)
        return batch

    def _claim_of(self, batch: list[Waiting], limit: int) -> list[Delivery]:
        """Lease deliveries of the endpoints of ``batch``, each an even share of ``limit``."""
        by_id = {waiting.endpoint_id: waiting for waiting in batch}
        with transaction.atomic():
            locked = _lock(by_id)
            under_way = _under_way(by_id)
            now = timezone.now()
            most = {
                endpoint.pk: min(
                    self._room(endpoint.pk),
                    allowance.most_now(endpoint, under_way[endpoint.pk], now),
                )
                for endpoint in locked
            }
            claimed = _due(locked, _shares(most, by_id, limit, now), now)
            counts = Counter(delivery.endpoint_id for delivery in claimed)
            for endpoint in locked:
                allowance.spend(endpoint, counts[endpoint.pk], now, until=now + LEASE)
            _lease(claimed)
        clock = time.monotonic()
        for endpoint_id in by_id:
            if not counts[endpoint_id]:
                pause = _NOTHING if endpoint_id in most else _LOCKED
                self._passed_over[endpoint_id] = clock + pause
        return claimed


def claim_due(limit: int, room: Room = _any_number) -> list[Delivery]:
    """Lease up to ``limit`` due deliveries once, from the first endpoint on."""
    return Claimer(room).claim(limit)


def _lock(endpoint_ids: Iterable[int]) -> list[Endpoint]:
    rows = Endpoint.objects.select_related("flow").filter(pk__in=endpoint_ids).order_by("pk")
    return list(rows.select_for_update(of=("self",), no_key=True, skip_locked=True))


def _under_way(endpoint_ids: Iterable[int]) -> Counter[int]:
    """Return how many deliveries of each endpoint are held by some worker."""
    held = (
        Delivery.objects.filter(
            endpoint__in=list(endpoint_ids),
            lease_token__isnull=False,
            leased_until__gt=timezone.now(),
        )
        .order_by()
        .values_list("endpoint")
        .annotate(Count("pk"))
    )
    return Counter(dict(held))


def _shares(
    most: Mapping[int, int], waiting: Mapping[int, Waiting], limit: int, now: datetime
) -> list[tuple[int, Urgency, int]]:
    """Return how many of each endpoint and urgency to take: an even share of ``limit`` each.

    Those that may have least come first, so that what they leave is shared by the others.
    """
    shares = []
    left = limit
    for number, (endpoint_id, may) in enumerate(sorted(most.items(), key=lambda item: item[1])):
        share = min(may, -(-left // (len(most) - number)))
        left -= share
        said = waiting[endpoint_id]
        for urgency, due_at in (
            (Urgency.FRESH, said.fresh_at),
            (Urgency.REPLAY, said.replay_at),
        ):
            if share and due_at is not None and due_at <= now:
                shares.append((endpoint_id, urgency, share))
    return shares


def _due(
    locked: Iterable[Endpoint], shares: Sequence[tuple[int, Urgency, int]], now: datetime
) -> list[Delivery]:
    """Lock the longest due deliveries, fresh ones first, as many of each as ``shares`` allows."""
    if not shares:
        return []
    endpoints = {endpoint.pk: endpoint for endpoint in locked}
    room = {endpoint_id: count for endpoint_id, _, count in shares}
    free = Delivery.objects.filter(
        pk__in=ready.due_ids(shares, now),
        state=DeliveryState.PENDING,
        next_attempt_at__lte=now,
    )
    rows = free.order_by("urgency", "next_attempt_at")
    taken = []
    for delivery in rows.select_for_update(no_key=True, skip_locked=True):
        if room[delivery.endpoint_id] > 0:
            room[delivery.endpoint_id] -= 1
            delivery.endpoint = endpoints[delivery.endpoint_id]
            delivery.flow = delivery.endpoint.flow
            taken.append(delivery)
    return taken


def _lease(deliveries: list[Delivery]) -> None:
    """Write the leases, and an attempt for each worker that never came back."""
    if not deliveries:
        return
    now, token = timezone.now(), uuid.uuid4()
    lost = [
        Attempt(
            delivery=delivery,
            endpoint=delivery.endpoint,
            number=delivery.attempts,
            started_at=(delivery.leased_until or now) - LEASE,
            error="worker_lost",
        )
        for delivery in deliveries
        if delivery.lease_token is not None
    ]
    if lost:
        Attempt.objects.bulk_create(lost, ignore_conflicts=True)
    changed = Delivery.objects.filter(
        pk__in=[delivery.pk for delivery in deliveries],
        state=DeliveryState.PENDING,
        next_attempt_at__lte=now,
    ).update(
        lease_token=token,
        leased_until=now + LEASE,
        next_attempt_at=now + LEASE,
        attempts=F("attempts") + 1,
        step=F("step") + 1,
        round_at=Coalesce(F("round_at"), now),
    )
    if changed != len(deliveries):  # cannot be: the rows are locked
        raise RuntimeError("deliveries were changed under their lock")
    for delivery in deliveries:
        delivery.lease_token = token
        delivery.leased_until = delivery.next_attempt_at = now + LEASE
        delivery.attempts += 1
        delivery.step += 1
        delivery.round_at = delivery.round_at or now
