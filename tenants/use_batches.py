"""Uses of key versions, counted in memory for a while and then written together.

A request uses two or three versions, and those of a busy flow are the same ones again and again:
a row for each would be locked by every request. So a process counts by version and day, and writes
a sum (:mod:`flows_endpoint.log_writer` says when).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Final

from django.db import connection, transaction

from tenants.models import Key, KeyUseDay

_KEYS: Final = Key._meta.db_table
_DAYS: Final = KeyUseDay._meta.db_table
_COUNT: Final = f"""
    UPDATE {_KEYS} SET use_count = use_count + %s, last_used_at =
        CASE WHEN last_used_at IS NULL OR last_used_at < %s THEN %s ELSE last_used_at END
    WHERE id = %s
"""  # noqa: S608 - the only interpolations are our own table names
_COUNT_DAY: Final = f"""
    INSERT INTO {_DAYS} (key_id, day, count) SELECT id, %s, %s FROM {_KEYS} WHERE id = %s
    ON CONFLICT (key_id, day) DO UPDATE SET count = {_DAYS}.count + excluded.count
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
        prepare, adapt = Key._meta.pk.get_db_prep_value, connection.ops
        versions, days = [], []
        for (key_id, day), (count, last) in sorted(self._counts.items()):
            key, moment = prepare(key_id, connection), adapt.adapt_datetimefield_value(last)
            versions.append((count, moment, moment, key))
            days.append((adapt.adapt_datefield_value(day), count, key))
        with transaction.atomic(savepoint=False), connection.cursor() as cursor:
            cursor.executemany(_COUNT, versions)
            cursor.executemany(_COUNT_DAY, days)
        self._counts = {}
