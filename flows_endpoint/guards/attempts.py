"""Limit failed attempts of one caller: slow down whoever guesses."""

from __future__ import annotations

import hashlib
import time

from django.db import connection, transaction

from flows_endpoint.exchange import Reason, Refusal
from flows_endpoint.models import AttemptCount

_COUNT = f"""
    INSERT INTO {AttemptCount._meta.db_table} (name, count, expires_at) VALUES (%s, 1, %s)
    ON CONFLICT (name) DO UPDATE SET count = {AttemptCount._meta.db_table}.count + 1
"""  # noqa: S608 - the only interpolation is our own table name


def _name(flow_id: str, source: str, window: int) -> tuple[str, float]:
    number = int(time.time() // window)
    text = f"{flow_id}|{source}|{window}|{number}"
    return hashlib.sha256(text.encode()).hexdigest(), (number + 1) * float(window)


def check(flow_id: str, source: str, *, limit: int, window: int) -> None:
    """Raise Refusal (rate) after ``limit`` failures of ``source`` within ``window`` seconds."""
    name, _ = _name(flow_id, source, window)
    counted = AttemptCount.objects.filter(name=name).values_list("count", flat=True).first()
    if counted is not None and counted >= limit:
        raise Refusal(Reason.RATE)


def count_failure(flow_id: str, source: str, *, window: int) -> None:
    """Count one failure of ``source``. Call it outside the business transaction."""
    name, expires_at = _name(flow_id, source, window)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_COUNT, [name, expires_at])


def forget_expired(now: float) -> int:
    """Delete counts of past windows; returns how many rows."""
    return AttemptCount.objects.filter(expires_at__lte=now).delete()[0]
