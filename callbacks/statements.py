"""Statements in plain SQL, for both databases.

The ORM takes longer to build one of them than the database takes to answer it, and each is built
anew. Where a delivery has to be cheap they are constants, next to the code that runs them; what the
databases say differently stands here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import connection, models

_POSTGRESQL: Final = {
    "in_numbers": "= ANY (%s::bigint[])",
    "in_uuids": "= ANY (%s::uuid[])",
    "passing_over_locked": "FOR NO KEY UPDATE SKIP LOCKED",
    "for_update": "FOR NO KEY UPDATE",
}
# One value is quicker bound than many, and a statement with any number of them is one statement.
# SQLite locks no rows: who writes is alone.
_SQLITE: Final = {
    "in_numbers": "IN (SELECT value FROM json_each(%s))",
    "in_uuids": "IN (SELECT value FROM json_each(%s))",
    "passing_over_locked": "",
    "for_update": "",
}


class Statement(NamedTuple):
    """A statement as each of the databases is given it."""

    postgresql: str
    sqlite: str

    @property
    def text(self) -> str:
        """Return it for the database in use."""
        return self.postgresql if is_postgresql() else self.sqlite


def statement(template: str) -> Statement:
    """Return ``template`` with ``{in_numbers}`` and ``{in_uuids}`` (conditions with one parameter
    each, :func:`numbers` or :func:`uuids`), ``{for_update}`` and ``{passing_over_locked}``.
    """
    return Statement(template.format(**_POSTGRESQL), template.format(**_SQLITE))


def is_postgresql() -> bool:
    """Return whether PostgreSQL is in use."""
    return connection.vendor == "postgresql"


def columns(model: type[models.Model], *, unread: Iterable[str] = ()) -> str:
    """Return the columns of ``model`` as a ``SELECT`` lists them; those ``unread`` are NULL."""
    empty = frozenset(unread)
    names = [str(field.column) for field in model._meta.concrete_fields]
    return ", ".join([f"NULL AS {name}" if name in empty else name for name in names])


def numbers(values: Iterable[int]) -> str:
    """Return the parameter of ``{in_numbers}``."""
    listed = ",".join(map(str, values))
    return f"{{{listed}}}" if is_postgresql() else f"[{listed}]"


def uuids(values: Iterable[UUID]) -> str:
    """Return the parameter of ``{in_uuids}``."""
    if is_postgresql():
        return f"{{{','.join([value.hex for value in values])}}}"
    return json.dumps([value.hex for value in values])


def stored(value: datetime | UUID) -> Any:
    """Return ``value`` as a parameter: SQLite has no type for times and UUIDs."""
    return value if is_postgresql() else for_sqlite([[value]])[0][0]


def for_sqlite(rows: Iterable[Iterable[Any]]) -> list[list[Any]]:
    """Return ``rows`` as SQLite's parameters."""
    time = connection.ops.adapt_datetimefield_value
    return [
        [
            (value.hex if isinstance(value, UUID) else time(value))
            if isinstance(value, UUID | datetime)
            else value
            for value in row
        ]
        for row in rows
    ]


def as_json(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return ``rows`` for ``json_to_recordset``; bytes are hexadecimal."""
    return _encode(rows)


def _as_text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else str(value)


_encode: Final = json.JSONEncoder(default=_as_text, separators=(",", ":"), allow_nan=False).encode
