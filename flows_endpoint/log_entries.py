"""Entries of the exchange log on their way into the database: many at once, in few statements.

The ORM takes longer to write one row than a whole request takes beside its cryptography. So rows
go in as the driver takes them fastest: COPY on PostgreSQL, one prepared INSERT on SQLite.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import connection, transaction

from crypto_schemes.keys import key_label
from flows_endpoint.models import ExchangeRow
from tenants import use_batches
from tenants.trace import Trace

_lines = logging.getLogger("sealgate.exchange")


class UsedKey(NamedTuple):
    """A key version that helped to open; ``made_at`` is Unix time."""

    id: str
    purpose: str
    state: str
    made_at: float
    version: int = 0
    fingerprint: str = ""


class Entry(NamedTuple):
    """One request and what became of it; never plaintext, cipher text or a secret.

    The first fields are the columns of :class:`ExchangeRow` in their order here; the others
    say whose it was, for the log line, and which key versions opened it.
    """

    at: datetime
    request_id: str
    flow_id: str | None
    scheme: str
    operation: str
    source: str | None
    outcome: str
    reason: str
    step: str
    code: str
    http_status: int
    key_versions: str
    milliseconds: float
    request_size: int
    request_digest: str
    client: str | None
    keys: tuple[UsedKey, ...]
    trace: Trace | None = None


#: Columns of the table, which :class:`Entry` begins with.
_COLUMNS: Final = (
    "at",
    "request_id",
    "flow_id",
    "scheme",
    "operation",
    "source",
    "outcome",
    "reason",
    "step",
    "code",
    "http_status",
    "key_versions",
    "milliseconds",
    "request_size",
    "request_digest",
)
_TABLE: Final = ExchangeRow._meta.db_table
_NAMES: Final = ", ".join(_COLUMNS)
_COPY: Final = f"COPY {_TABLE} ({_NAMES}) FROM STDIN"
_INSERT: Final = f"INSERT INTO {_TABLE} ({_NAMES}) VALUES ({', '.join(['%s'] * len(_COLUMNS))})"  # noqa: S608


def store(entries: Sequence[Entry]) -> None:
    """Insert the rows of ``entries`` and count the uses of their keys, all of it or nothing.

    Raises DatabaseError.
    """
    uses = use_batches.UseCounts()
    for entry in entries:
        uses.add([key.id for key in entry.keys], entry.at)
    with transaction.atomic():
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                with cursor.copy(_COPY) as copy:
                    for entry in entries:
                        copy.write_row(entry[: len(_COLUMNS)])
            else:
                cursor.executemany(_INSERT, list(map(_as_stored, entries)))
        uses.write()


def tell(entries: Iterable[Entry]) -> None:
    """Write a line of the log for each of ``entries``, dated when its request came."""
    if not _lines.isEnabledFor(logging.INFO):
        return
    for entry in entries:
        line = logging.LogRecord(_lines.name, logging.INFO, __file__, 0, "exchange", None, None)
        line.created = entry.at.timestamp()
        line.msecs = entry.at.microsecond // 1000
        line.__dict__.update(_said(entry))
        _lines.handle(line)


def _said(entry: Entry) -> dict[str, Any]:
    return {
        "request_id": entry.request_id,
        "trace_id": entry.trace.trace_id if entry.trace else "",
        "scheme": entry.scheme,
        "flow": entry.flow_id,
        "client": entry.client,
        "operation": entry.operation,
        "outcome": entry.outcome,
        "reason": entry.reason,
        "step": entry.step,
        "code": entry.code,
        "status": entry.http_status,
        "keys": ", ".join(
            key_label(key.purpose, key.version, key.fingerprint) for key in entry.keys
        ),
        "milliseconds": entry.milliseconds,
    }


def _as_stored(entry: Entry) -> tuple[Any, ...]:
    """Return the columns as a database without types of its own for them stores them."""
    flow = UUID(entry.flow_id).hex if entry.flow_id else None
    at = connection.ops.adapt_datetimefield_value(entry.at)
    return (at, entry.request_id, flow, *entry[3 : len(_COLUMNS)])
