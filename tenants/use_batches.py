"""Uses of key versions, counted in memory for a while and then written together.

A request uses two or three versions, and those of a busy flow are the same ones again and again:
a row for each would be locked by every request. So a process counts by version and day, and writes
a sum (:mod:`flows_endpoint.log_writer` says when).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection, transaction

from tenants import sql
from tenants.models import Key, KeyUseDay

_KEYS: Final = Key._meta.db_table
_DAYS: Final = KeyUseDay._meta.db_table
_LATER: Final = (
    "CASE WHEN last_used_at IS NULL OR last_used_at < {0} THEN {0} ELSE last_used_at END"
)
_ADD_A_DAY: Final = f"""
    ON CONFLICT (key_id, day) DO UPDATE SET count = {_DAYS}.count + excluded.count
"""
# Rows of SQLite: one writer, so each for itself.
_COUNT: Final = f"""
    UPDATE {_KEYS} SET use_count = use_count + %s, last_used_at = {_LATER.format("%s")}
    WHERE id = %s
"""  # noqa: S608 - the only interpolations are our own table names
_COUNT_DAY: Final = f"""
    INSERT INTO {_DAYS} (key_id, day, count) SELECT id, %s, %s FROM {_KEYS} WHERE id = %s
    {_ADD_A_DAY}
"""  # noqa: S608
# All of them at once: with thousands of partners a batch has a thousand versions.
_LOCK: Final = f"""
    SELECT id FROM {_KEYS} WHERE id = ANY (%s::uuid[]) ORDER BY id FOR NO KEY UPDATE
"""  # noqa: S608
_COUNT_ALL: Final = f"""
    UPDATE {_KEYS} counted
    SET use_count = use_count + used.count, last_used_at = {_LATER.format("used.last")}
    FROM unnest(%s::uuid[], %s::bigint[], %s::timestamptz[]) AS used (id, count, last)
    WHERE counted.id = used.id
"""  # noqa: S608
_COUNT_ALL_DAYS: Final = f"""
    INSERT INTO {_DAYS} (key_id, day, count)
    SELECT used.id, used.day, used.count
    FROM unnest(%s::uuid[], %s::date[], %s::bigint[]) AS used (id, day, count)
    JOIN {_KEYS} counted ON counted.id = used.id
    {_ADD_A_DAY}
"""  # noqa: S608


class UseCounts:
    """How often each version was used on each day (UTC), and when last. Not for many threads."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, date], tuple[int, datetime]] = {}

    def add(self, key_ids: Iterable[str], at: datetime) -> None:
        """Count one use of each version at ``at``."""
        for key_id in key_ids:
            name = (key_id, at.astimezone(UTC).date())
            count, last = self._counts.get(name, (0, at))
            self._counts[name] = (count + 1, max(last, at))

    def write(self) -> None:
        """Add the counts to what the database has, in one transaction, and begin anew.

        In one order of versions: of two processes that count the same ones, one waits for the
        other and neither for ever. A version that is not there any more is not counted.
        """
        if not self._counts:
            return
        with transaction.atomic(savepoint=False):
            if connection.vendor == "postgresql":
                self._write_at_once()
            else:
                self._write_one_by_one()
        self._counts = {}

    def _write_at_once(self) -> None:
        by_version: dict[UUID, tuple[int, datetime]] = {}
        days: list[tuple[UUID, date, int]] = []
        for (key_id, day), (count, last) in self._counts.items():
            key = UUID(key_id)
            before, at = by_version.get(key, (0, last))
            by_version[key] = (before + count, max(at, last))
            days.append((key, day, count))
        keys = list(by_version)
        # Whoever holds the versions may write their days too, in any order.
        sql.run(_LOCK, [keys])
        sql.run(_COUNT_ALL, [keys, *_columns(by_version.values())])
        sql.run(_COUNT_ALL_DAYS, _columns(days))

    def _write_one_by_one(self) -> None:
        prepare, adapt = Key._meta.pk.get_db_prep_value, connection.ops
        versions, days = [], []
        for (key_id, day), (count, last) in sorted(self._counts.items()):
            key, moment = prepare(key_id, connection), adapt.adapt_datetimefield_value(last)
            versions.append((count, moment, moment, key))
            days.append((adapt.adapt_datefield_value(day), count, key))
        with connection.cursor() as cursor:
            cursor.executemany(_COUNT, versions)
            cursor.executemany(_COUNT_DAY, days)


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
