"""Never the same thing twice: atomic between threads, processes and machines.

A *claim* outlives its request only if the request succeeded: inside a transaction it is a row
that rolls back with the rest, elsewhere whoever made it releases it. Two claims of the same thing
race in one statement, so exactly one wins.

Where the business is done outside a transaction (an upstream), a durable claim is first made on
a *lease*, and confirmed once the business is done: a process killed in between gives the thing
back by time, instead of refusing what nobody did.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import time
from dataclasses import dataclass

import redis
from django.conf import settings
from django.db import DatabaseError

from flows_endpoint import rows
from flows_endpoint.exchange import Reason, Refusal
from flows_endpoint.guards import own_connection
from flows_endpoint.models import ReplayMark

logger = logging.getLogger(__name__)

_CLAIM = f"""
    INSERT INTO {ReplayMark._meta.db_table} (name, owner, expires_at) VALUES (%s, %s, %s)
    ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, expires_at = excluded.expires_at
    WHERE {ReplayMark._meta.db_table}.expires_at <= %s
"""  # noqa: S608 - the only interpolation is our own table name
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end"


#: Seconds a claim holds before it is confirmed; above every time-out of a backend.
LEASE = 120.0


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to be the one that does something, until Unix time ``keep_until``.

    ``is_leased``: it expires sooner unless it is confirmed.
    """

    name: str
    owner: str
    in_redis: bool
    keep_until: float = 0.0
    is_leased: bool = False

    def confirm(self) -> None:
        """Hold the claim for its whole time: what it guards was done. Only leases need it."""
        if not self.is_leased:
            return
        try:
            ReplayMark.objects.filter(name=self.name, owner=self.owner).update(
                expires_at=self.keep_until
            )
        except DatabaseError:
            # Done is done: the answer goes out, and the lease holds for a while yet.
            logger.exception("A replay claim could not be confirmed; it ends with its lease.")

    def release(self) -> None:
        """Give the claim back, if it is still ours."""
        if not self.in_redis:
            ReplayMark.objects.filter(name=self.name, owner=self.owner).delete()
            return
        try:
            own_connection.ask("EVAL", _RELEASE, 1, self.name, self.owner)
        except redis.RedisError:
            logger.warning("A replay claim could not be released; it expires by itself.")


def claim(
    flow_id: str, kind: str, thing: bytes, seconds: float, *, durable: bool, leased: bool = False
) -> Claim | None:
    """Return a claim on ``thing`` for ``seconds``, or None when somebody holds it.

    ``leased`` (durable claims only) holds it for :data:`LEASE` until it is confirmed.

    ``durable`` claims always live in the database, and so in the business transaction where one
    is open; others live in Redis where it is configured. Raises Refusal (unavailable)
    when the guard cannot be asked: without it nothing is served.
    """
    digest = _digest(flow_id, kind, thing)
    owner = secrets.token_hex(8)
    if settings.REDIS_URL and not durable:
        name = f"sealgate:once:{digest}"
        try:
            milliseconds = max(1, int(seconds * 1000))
            won = own_connection.ask("SET", name, owner, "NX", "PX", milliseconds)
        except redis.RedisError:
            raise Refusal(Reason.UNAVAILABLE, step="replay guard") from None
        return Claim(name, owner, in_redis=True) if won else None
    now = time.time()
    held = min(seconds, LEASE) if leased else seconds
    if not rows.changes_one(_CLAIM, [digest, owner, now + held, now]):
        return None
    return Claim(digest, owner, in_redis=False, keep_until=now + seconds, is_leased=leased)


def forget_expired(now: float) -> int:
    """Delete what no longer guards anything; returns how many rows."""
    return ReplayMark.objects.filter(expires_at__lte=now).delete()[0]


def _digest(flow_id: str, kind: str, thing: bytes) -> str:
    return hashlib.sha256(f"{flow_id}|{kind}|".encode() + thing).hexdigest()
