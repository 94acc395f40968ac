"""How endpoints are doing, from what became of their calls.

Any success clears everything. Failures of the network and answers that say the receiver is away
count for the circuit breaker (callbacks/breaker.py). An endpoint for which nothing has succeeded
for :data:`DISABLED_AFTER` is disabled, after warnings, and waits for an operator; so is one that
says for good that it wants nothing more. Its deliveries stay and go out when it is enabled.

What was stopped on our side (a missing key, a damaged body) says nothing about the receiver.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from callbacks import allowance, notices
from callbacks.channels import Result
from callbacks.models import BreakerState, Endpoint, EndpointState
from callbacks.statements import numbers, statement
from tenants import audit_chain, sql
from tenants.actors import Actor

#: Days of failure after which operators are warned, and after which the endpoint is disabled.
WARNINGS: Final = (1, 3, 4)
DISABLED_AFTER: Final = timedelta(days=5)
#: Failures further apart than this are not one long failure: nothing was tried in between.
LONGEST_GAP: Final = timedelta(days=2)

#: The columns of an endpoint that say how it does.
HEALTH: Final = (
    "state",
    "state_reason",
    "state_at",
    "ready_at",
    "breaker",
    "failures",
    "opened_at",
    "times_opened",
    "failing_since",
    "last_failure_at",
    "warned_days",
)

_ILL: Final = statement(
    "SELECT id FROM callbacks_endpoint WHERE id {in_numbers}"
    " AND (failures > 0 OR failing_since IS NOT NULL OR breaker <> 'closed')"
)

#: Endpoint, what became of an attempt, and whether the receiver was called at all.
Said = tuple[int, Result, bool]


def note(results: Iterable[Said]) -> None:
    """Write what ``results`` say about their endpoints, inside the transaction that records them.

    An endpoint that is well and stays well costs no write.
    """
    by_endpoint: dict[int, list[tuple[Result, bool]]] = {}
    for endpoint_id, result, was_called in results:
        by_endpoint.setdefault(endpoint_id, []).append((result, was_called))
    changing = _ill(by_endpoint)
    changing |= {pk for pk, said in by_endpoint.items() if any(not r.is_delivered for r, _ in said)}
    if not changing:
        return
    rows = (
        Endpoint.objects.select_for_update(no_key=True, of=("self",))
        .select_related("flow")
        .filter(pk__in=changing)
        .order_by("pk")
    )
    now = timezone.now()
    for endpoint in rows:
        for result, was_called in by_endpoint[endpoint.pk]:
            _apply(endpoint, result, now, was_called=was_called)
        endpoint.save(update_fields=HEALTH)


def _ill(endpoint_ids: Iterable[int]) -> set[int]:
    """Return those that have something to recover from."""
    return {pk for (pk,) in sql.run(_ILL.text, [numbers(endpoint_ids)]).rows}


def _apply(endpoint: Endpoint, result: Result, now: datetime, *, was_called: bool) -> None:
    if not was_called:
        if endpoint.breaker == BreakerState.HALF_OPEN:  # that was no probe: another may
            endpoint.ready_at = now
        return
    _turn_breaker(endpoint, result, now)
    if result.rest is not None:
        endpoint.ready_at = max(endpoint.ready_at, now + result.rest)
    if result.is_delivered:
        endpoint.failing_since = endpoint.last_failure_at = None
        endpoint.warned_days = 0
        return
    gap = now - (endpoint.last_failure_at or now)
    if endpoint.failing_since is None or gap > LONGEST_GAP:
        endpoint.failing_since, endpoint.warned_days = now, 0
    endpoint.last_failure_at = now
    if endpoint.state == EndpointState.DISABLED:
        return
    if result.disables:
        _disable(endpoint, f"The receiver wants nothing more ({result.error}).", now)
    elif now - endpoint.failing_since >= DISABLED_AFTER:
        days = DISABLED_AFTER.days
        _disable(endpoint, f"Nothing has arrived for {days} days (last: {result.error}).", now)
    else:
        _warn(endpoint, result, now - endpoint.failing_since)


def _turn_breaker(endpoint: Endpoint, result: Result, now: datetime) -> None:
    before = allowance.breaker_of(endpoint)
    after = before.after_outage(now) if result.is_outage else before.after_answer()
    endpoint.breaker, endpoint.failures = after.state, after.failures
    endpoint.opened_at, endpoint.times_opened = after.opened_at, after.times_opened
    if after.state == BreakerState.OPEN and before.state != BreakerState.OPEN:
        endpoint.ready_at = after.closes_at() or now
    elif after.state == BreakerState.CLOSED and before.state != BreakerState.CLOSED:
        endpoint.ready_at = now


def _disable(endpoint: Endpoint, reason: str, now: datetime) -> None:
    before = {"endpoint": endpoint.channel, "state": str(endpoint.state)}
    endpoint.state, endpoint.state_at = EndpointState.DISABLED, now
    endpoint.state_reason = reason[:200]
    audit_chain.append(
        Actor.product(),
        "endpoint.disable",
        flow=endpoint.flow,
        before=before,
        after={"endpoint": endpoint.channel, "state": str(endpoint.state)},
        reason=reason,
    )
    notices.endpoint_disabled(endpoint)


def _warn(endpoint: Endpoint, result: Result, failing: timedelta) -> None:
    passed = [days for days in WARNINGS if failing >= timedelta(days=days)]
    if passed and passed[-1] > endpoint.warned_days:
        endpoint.warned_days = passed[-1]
        notices.endpoint_failing(endpoint, failing.days, result.error)
