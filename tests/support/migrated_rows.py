"""What a test that commits leaves behind is taken away, and nothing else.

Django's own way empties every table, and makes content types and permissions anew: seconds on
PostgreSQL, where each TRUNCATE is a file of its own. Most tests wrote to a handful of tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper


@dataclass(frozen=True)
class MigratedRows:
    """The rows of every table as the migrations left them."""

    #: By table, empty ones too; the rows in the order of their first column.
    rows: dict[str, list[tuple[Any, ...]]]

    @classmethod
    def of(cls, connection: BaseDatabaseWrapper) -> Self:
        """Return the rows that are there now."""
        tables = connection.introspection.django_table_names(
            only_existing=True, include_views=False
        )
        return cls({table: _read(connection, table) for table in sorted(tables)})

    def put_back(self, connection: BaseDatabaseWrapper) -> None:
        """Make every table hold these rows again, in one transaction.

        Foreign keys are checked at its end, so the order of the tables does not matter.
        """
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            changed = self._changed(connection)
            for table in changed:
                cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")
            for table in changed:
                if rows := self.rows[table]:
                    places = ", ".join(["%s"] * len(rows[0]))
                    cursor.executemany(
                        f"INSERT INTO {connection.ops.quote_name(table)} VALUES ({places})", rows
                    )
        # They name content types by numbers, which a test may have given to others.
        ContentType.objects.clear_cache()

    def _changed(self, connection: BaseDatabaseWrapper) -> list[str]:
        empty = [table for table, rows in self.rows.items() if not rows]
        any_row = ", ".join(
            f"EXISTS (SELECT 1 FROM {connection.ops.quote_name(table)})" for table in empty
        )
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {any_row}")
            filled = [table for table, found in zip(empty, cursor.fetchone(), strict=True) if found]
        other = [t for t, rows in self.rows.items() if rows and _read(connection, t) != rows]
        return filled + other


def _read(connection: BaseDatabaseWrapper, table: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)} ORDER BY 1")
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
