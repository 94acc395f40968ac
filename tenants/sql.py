"""Plain SQL, for the statements that a request or a delivery waits for.

A statement is written as for a cursor of Django's: ``%s`` for each value, ``%%`` for a percent
sign. On PostgreSQL each value is sent beside the text, so its type must be clear from where it
stands (a column it is compared with or stored in), or be cast there.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections

if TYPE_CHECKING:
    from tenants.postgresql.base import DatabaseWrapper


class Done(NamedTuple):
    """What came of a statement: how many rows it changed or returned, and the rows."""

    affected: int
    rows: list[tuple[Any, ...]]


def run(sql: str, values: Sequence[Any] = ()) -> Done:
    """Run one statement, in the caller's transaction where one is open.

    Raises DatabaseError and its kinds. Whoever wraps or logs statements sees it: then, and on
    other databases than PostgreSQL, it goes through a cursor.
    """
    database = connections[DEFAULT_DB_ALIAS]
    is_watched = database.execute_wrappers or database.queries_logged
    if database.vendor == "postgresql" and not is_watched:
        return Done(*cast("DatabaseWrapper", database).run(sql, values))
    with database.cursor() as cursor:
        cursor.execute(sql, values)
        return Done(cursor.rowcount, cursor.fetchall() if cursor.description else [])


def leave_connection() -> None:
    """Leave this thread's connection to the others of the process, outside of transactions.

    Without effect on SQLite, whose connections are a thread's own.
    """
    database = connections[DEFAULT_DB_ALIAS]
    if database.vendor == "postgresql":
        cast("DatabaseWrapper", database).leave()


def uuid_digits(text: str) -> str:
    """Return the UUID ``text`` as a value: its 32 hex digits, which every database takes for it."""
    return text.replace("-", "")


def uuid_of(value: Any) -> UUID:
    """Return the UUID that was read as ``value``."""
    return value if isinstance(value, UUID) else UUID(value)


def moment(value: datetime | str) -> datetime:
    """Return the time that was read as ``value``."""
    read = datetime.fromisoformat(value) if isinstance(value, str) else value
    return read if read.tzinfo else read.replace(tzinfo=UTC)
