"""An attempt as it was made, and the row it leaves."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple
from uuid import UUID

from django.db import connection
from django.utils import timezone

from callbacks.channels import Result
from callbacks.models import Delivery
from callbacks.models.attempts import WHY, answer_context
from callbacks.statements import Statement, as_json, for_sqlite, is_postgresql
from callbacks.timings import Timings
from tenants import at_rest, sql

_HOST: Final = socket.gethostname()[:40]


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was made: when, how long each phase took, and the masked start of the answer."""

    started_at: datetime
    timings: Timings
    answer: bytes = field(default=b"", repr=False)


def worker_name() -> str:
    """Return what this process is called in the attempts it makes."""
    return f"{_HOST}:{os.getpid()}"


class AttemptRow(NamedTuple):
    """The columns of an attempt that is to be written."""

    delivery_id: UUID
    endpoint_id: int
    number: int
    started_at: datetime
    dns_ms: float | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    first_byte_ms: float | None = None
    rest_ms: float | None = None
    total_ms: float | None = None
    status: int | None = None
    error: str = ""
    answer: bytes = b""
    worker: str = ""
    why: str = ""


_COLUMNS: Final = ", ".join(AttemptRow._fields)
# An attempt that is written already stands: it was lost with its worker, or so it seemed.
_INSERT: Final = Statement(
    postgresql=f"""INSERT INTO callbacks_attempt ({_COLUMNS})
    SELECT delivery_id, endpoint_id, number, started_at, dns_ms, connect_ms, tls_ms,
        first_byte_ms, rest_ms, total_ms, status, error, decode(answer, 'hex'), worker, why
    FROM json_to_recordset(%s) AS made (
        delivery_id uuid, endpoint_id bigint, number integer, started_at timestamptz,
        dns_ms float8, connect_ms float8, tls_ms float8, first_byte_ms float8, rest_ms float8,
        total_ms float8, status smallint, error text, answer text, worker text, why text
    ) ON CONFLICT DO NOTHING""",  # noqa: S608 - no part of it comes from outside
    sqlite=f"INSERT INTO callbacks_attempt ({_COLUMNS})"  # noqa: S608
    f" VALUES ({', '.join(['%s'] * len(AttemptRow._fields))}) ON CONFLICT DO NOTHING",
)


def row_of(delivery: Delivery, result: Result, call: Call | None) -> AttemptRow:
    """Return the row of the attempt ``delivery`` was claimed for."""
    if call is None:
        return AttemptRow(
            delivery.pk,
            delivery.endpoint_id,
            delivery.attempts,
            timezone.now(),
            status=result.status,
            error=result.error[:64],
            worker=worker_name(),
            why=result.why[:WHY],
        )
    times, answer = call.timings, call.answer
    if answer:
        answer = at_rest.seal(answer, answer_context(delivery.pk, delivery.attempts))
    return AttemptRow(
        delivery.pk,
        delivery.endpoint_id,
        delivery.attempts,
        call.started_at,
        times.dns,
        times.connect,
        times.tls,
        times.first_byte,
        times.rest,
        times.total,
        result.status,
        result.error[:64],
        answer,
        worker_name(),
        result.why[:WHY],
    )


def write(rows: Sequence[AttemptRow]) -> None:
    """Insert ``rows``, those that are not there yet."""
    if not rows:
        return
    if is_postgresql():
        # One text for all of them: each value by itself takes longer than its row.
        sql.run(_INSERT.postgresql, [as_json([row._asdict() for row in rows])])
        return
    with connection.cursor() as cursor:
        cursor.executemany(_INSERT.sqlite, for_sqlite(rows))
