"""How much of an endpoint may be sent now: breaker, calls at once and rate limit together.

The endpoint's row is locked while this is asked and spent, so the answer holds for all workers.
"""

from __future__ import annotations

from datetime import datetime

from callbacks.breaker import Breaker
from callbacks.bucket import Bucket
from callbacks.models import BreakerState, Endpoint, EndpointState


def breaker_of(endpoint: Endpoint) -> Breaker:
    """Return the circuit breaker as the row holds it."""
    return Breaker(
        state=endpoint.breaker,
        failures=endpoint.failures,
        opened_at=endpoint.opened_at,
        times_opened=endpoint.times_opened,
    )


def bucket_of(endpoint: Endpoint) -> Bucket | None:
    """Return the token bucket as the row holds it, None where the rate is not limited."""
    if endpoint.rate_per_second is None:
        return None
    return Bucket(endpoint.rate_per_second, endpoint.burst, endpoint.tokens, endpoint.tokens_at)


def most_now(endpoint: Endpoint, under_way: int, now: datetime) -> int:
    """Return how many deliveries may begin at ``now``, with ``under_way`` held by workers."""
    if endpoint.state != EndpointState.ACTIVE or endpoint.ready_at > now:
        return 0
    at_once = breaker_of(endpoint).most_at_once
    most = max(0, min(endpoint.concurrency, at_once or endpoint.concurrency) - under_way)
    bucket = bucket_of(endpoint)
    if bucket is not None:
        most, _ = bucket.take(most, now)
    return most


def spend(endpoint: Endpoint, count: int, now: datetime, *, until: datetime) -> None:
    """Write down that ``count`` deliveries begin at ``now``, each held ``until`` at the latest.

    Where nothing more may go before some time, ``ready_at`` says so. A probe of a half-open
    breaker is alone until then: if its worker dies, another probes.
    """
    changed: list[str] = []
    bucket = bucket_of(endpoint)
    if bucket is not None:
        _, left = bucket.take(count, now)
        endpoint.tokens, endpoint.tokens_at = left.tokens, left.at
        endpoint.ready_at = max(endpoint.ready_at, left.next_at(now))
        changed += ["tokens", "tokens_at", "ready_at"]
    if count and endpoint.breaker != BreakerState.CLOSED:
        endpoint.breaker = breaker_of(endpoint).probing().state
        endpoint.ready_at = max(endpoint.ready_at, until)
        changed += ["breaker", "ready_at"]
    if changed:
        endpoint.save(update_fields=set(changed))
