"""Limit failed attempts of one caller: slow down whoever guesses."""

from __future__ import annotations

import hashlib
import time
from typing import Final

from django.conf import settings

from flows_endpoint.exchange import Reason, Refusal
from flows_endpoint.models import AttemptCount
from tenants import sql

_TABLE = AttemptCount._meta.db_table
_COUNT = f"""
    INSERT INTO {_TABLE} (name, count, expires_at) VALUES (%s, 1, %s)
    ON CONFLICT (name) DO UPDATE SET count = {_TABLE}.count + 1 RETURNING count
"""  # noqa: S608 - the only interpolation is our own table name
_LOOK = f"SELECT count FROM {_TABLE} WHERE name = %s"  # noqa: S608

#: How many callers a process remembers, so that a stranger cannot fill its memory.
_MOST_REMEMBERED: Final = 10_000
#: What this process knows: failures counted, and when (seconds of a clock that never goes back).
_known: dict[str, tuple[int, float]] = {}


def _name(flow_id: str, source: str, window: int) -> tuple[str, float]:
    number = int(time.time() // window)
    text = f"{flow_id}|{source}|{window}|{number}"
    return hashlib.sha256(text.encode()).hexdigest(), (number + 1) * float(window)


def check(flow_id: str, source: str, *, limit: int, window: int) -> None:
    """Raise Refusal (rate) after ``limit`` failures of ``source`` within ``window`` seconds.

    Failures that other processes counted are noticed as late as a change of a flow is
    (``KEYRING_EPOCH_SECONDS``), so that a caller who makes none costs no query.
    """
    name, _ = _name(flow_id, source, window)
    count, at = _known.get(name, (0, float("-inf")))
    if time.monotonic() - at >= float(settings.KEYRING_EPOCH_SECONDS):
        found = sql.run(_LOOK, [name]).rows
        count = found[0][0] if found else 0
        _remember(name, count)
    if count >= limit:
        raise Refusal(Reason.RATE)


def count_failure(flow_id: str, source: str, *, window: int) -> None:
    """Count one failure of ``source``. Call it outside the business transaction."""
    name, expires_at = _name(flow_id, source, window)
    _remember(name, sql.run(_COUNT, [name, expires_at]).rows[0][0])


def forget_expired(now: float) -> int:
    """Delete counts of past windows; returns how many rows."""
    return AttemptCount.objects.filter(expires_at__lte=now).delete()[0]


def forget_known() -> None:
    """Forget what this process remembers (another database is in use)."""
    _known.clear()


def _remember(name: str, count: int) -> None:
    if len(_known) >= _MOST_REMEMBERED:
        _known.clear()
    _known[name] = (count, time.monotonic())
