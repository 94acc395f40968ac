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

import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from callbacks import allowance, attempt, ready
from callbacks.attempt import AttemptRow
from callbacks.models import Delivery, Endpoint, Urgency
from callbacks.ready import Share, Waiting
from callbacks.statements import columns, numbers, statement, stored, uuids
from tenants import sql
from tenants.models import Flow

#: How long a worker may hold a delivery: several times the longest attempt.
LEASE: Final = timedelta(seconds=4 * settings.CALLBACK_SECONDS)
#: Seconds for which an endpoint is left alone whose row another worker held, and one that had
#: nothing to give: as many calls as may be are under way elsewhere.
_LOCKED: Final = 0.02
_NOTHING: Final = 0.1
#: Endpoints locked by one transaction.
_AT_ONCE: Final = 16

_LOCK: Final = statement(
    f"SELECT {columns(Endpoint)} FROM callbacks_endpoint"  # noqa: S608 - nothing from outside
    " WHERE id {in_numbers} ORDER BY id {passing_over_locked}"
)
_UNDER_WAY: Final = statement(
    "SELECT endpoint_id, count(*) FROM callbacks_delivery"
    " WHERE endpoint_id {in_numbers} AND lease_token IS NOT NULL AND leased_until > %s"
    " GROUP BY endpoint_id"
)
#: The rows that are found by what stands in the braces. ``next_attempt_at`` is about to change.
_DUE: Final = statement(
    f"SELECT {columns(Delivery, unread=['next_attempt_at'])} FROM callbacks_delivery"  # noqa: S608
    " WHERE id IN ({{}}) AND state = 'pending' AND next_attempt_at <= %s"
    " ORDER BY urgency, callbacks_delivery.next_attempt_at {passing_over_locked}"
)
_FLOWS: Final = statement(f"SELECT {columns(Flow)} FROM tenants_flow WHERE id {{in_uuids}}")  # noqa: S608
_LEASE: Final = statement(
    "UPDATE callbacks_delivery SET lease_token = %s, leased_until = %s, next_attempt_at = %s,"
    " attempts = attempts + 1, step = step + 1, round_at = coalesce(round_at, %s)"
    " WHERE id {in_uuids} AND state = 'pending' AND next_attempt_at <= %s"
)
_ENDPOINT: Final = Delivery._meta.get_field("endpoint")
_FLOW: Final = Delivery._meta.get_field("flow")

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
                    allowance.most_now(endpoint, under_way.get(endpoint.pk, 0), now),
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
    """Return the endpoints, locked, without those that another worker has locked."""
    return list(Endpoint.objects.raw(_LOCK.text, [numbers(endpoint_ids)]))


def _under_way(endpoint_ids: Iterable[int]) -> dict[int, int]:
    """Return how many deliveries of each endpoint are held by some worker.

    Asked once the endpoints are locked: what another worker leased before shows only then.
    """
    done = sql.run(_UNDER_WAY.text, [numbers(endpoint_ids), stored(timezone.now())])
    return dict(done.rows)


def _shares(
    most: Mapping[int, int], waiting: Mapping[int, Waiting], limit: int, now: datetime
) -> list[Share]:
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


def _due(locked: Iterable[Endpoint], shares: Sequence[Share], now: datetime) -> list[Delivery]:
    """Lock the longest due deliveries, fresh ones first, as many of each as ``shares`` allows."""
    if not shares:
        return []
    endpoints = {endpoint.pk: endpoint for endpoint in locked}
    room = {endpoint_id: count for endpoint_id, _, count in shares}
    heads, values = ready.longest_due(shares, now)
    taken = []
    for delivery in Delivery.objects.raw(_DUE.text.format(heads), [*values, now]):
        if room[delivery.endpoint_id] > 0:
            room[delivery.endpoint_id] -= 1
            taken.append(delivery)
    flow_ids = {endpoints[delivery.endpoint_id].flow_id for delivery in taken}
    flows = {flow.pk: flow for flow in Flow.objects.raw(_FLOWS.text, [uuids(flow_ids)])}
    for endpoint in endpoints.values():
        if endpoint.flow_id in flows:
            endpoint.flow = flows[endpoint.flow_id]
    for delivery in taken:
        # What the descriptors do beside this is for relations that change.
        endpoint = endpoints[delivery.endpoint_id]
        _ENDPOINT.set_cached_value(delivery, endpoint)
        _FLOW.set_cached_value(delivery, endpoint.flow)
    return taken


def _lease(deliveries: list[Delivery]) -> None:
    """Write the leases, and an attempt for each worker that never came back."""
    if not deliveries:
        return
    now, token = timezone.now(), uuid.uuid4()
    until = now + LEASE
    attempt.write(
        [
            AttemptRow(
                delivery_id=delivery.pk,
                endpoint_id=delivery.endpoint_id,
                number=delivery.attempts,
                started_at=(delivery.leased_until or now) - LEASE,
                error="worker_lost",
            )
            for delivery in deliveries
            if delivery.lease_token is not None
        ]
    )
    ids = uuids([delivery.pk for delivery in deliveries])
    at, end = stored(now), stored(until)
    done = sql.run(_LEASE.text, [stored(token), end, end, at, ids, at])
    if done.affected != len(deliveries):  # cannot be: the rows are locked
        raise RuntimeError("deliveries were changed under their lock")
    for delivery in deliveries:
        delivery.lease_token = token
        delivery.leased_until = delivery.next_attempt_at = until
        delivery.attempts += 1
        delivery.step += 1
        delivery.round_at = delivery.round_at or now
