"""Write new rows of the business, past the ORM's own way, which takes some ten times as long.

The values are the fields' own, so that every database gets what it would get from the ORM, and
constraints hold as ever. Nothing is sent to signals; the product has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, NamedTuple

from django.db import DEFAULT_DB_ALIAS, connection, connections, models, transaction
from django.db.models import Field, Model

from tenants import sql

#: Rows in one statement.
_AT_ONCE: Final = 500
#: Values in one statement, below the 65,535 that PostgreSQL takes.
_MOST_VALUES: Final = 60_000
#: Fields whose values every driver writes as they are, and those of which PostgreSQL's does so too.
#: Asking the fields takes longer than the statement itself.
_PLAIN: Final = (
    models.BinaryField,
    models.BooleanField,
    models.CharField,
    models.FloatField,
    models.IntegerField,
    models.TextField,
)
_PLAIN_ON_POSTGRESQL: Final = (*_PLAIN, models.DateTimeField, models.UUIDField)


def insert(rows: Iterable[Model]) -> None:
    """Insert ``rows``, those of one model in a run of their own.

    On PostgreSQL all of them go in one statement, whatever their models, or as few as can be.
    In the caller's transaction; raises IntegrityError.
    """
    statements = [
        _insert(model, every[start : start + _AT_ONCE])
        for model, some in groupby(rows, type)
        if (every := list(some))
        for start in range(0, len(every), _AT_ONCE)
    ]
    if connection.vendor == "postgresql":
        statements = _joined(statements)
    for text, values in statements:
        sql.run(text, values)


def _joined(statements: Iterable[tuple[str, list[Any]]]) -> list[tuple[str, list[Any]]]:
    """Return as few statements that do the same, none with too many values.

    Foreign keys between them are checked when the transaction ends.
    """
    joined: list[tuple[str, list[Any]]] = []
    texts: list[str] = []
    values: list[Any] = []

    def join() -> None:
        if texts:
            *first, last = texts
            named = ", ".join(f"s{number} AS ({text})" for number, text in enumerate(first))
            joined.append((f"WITH {named} {last}" if named else last, values))

    for text, more in statements:
        if values and len(values) + len(more) > _MOST_VALUES:
            join()
            texts, values = [], []
        texts.append(text)
        values = values + more
    join()
    return joined


def insert_once(row: Model, *, on_conflict: str = "DO NOTHING") -> bool:
    """Insert ``row`` unless a unique constraint says it is there; return whether it was new.

    ``on_conflict`` is SQL for what to do then; True also where that changed the row. Needs no
    savepoint: a conflict is no error.
    """
    text, values = _insert(type(row), [row])
    return changes_one(f"{text} ON CONFLICT {on_conflict}", values)


def changes_one(statement: str, values: Sequence[Any]) -> bool:
    """Run a statement that changes a row for one of its callers; return whether for this one."""
    return sql.run(statement, values).affected == 1


class _Form(NamedTuple):
    """How rows of a model are written: ``head``, and ``places`` for the values of each.

    ``take`` returns a row's values; those at the positions of ``others`` the field has to write.
    """

    take: Callable[[Model], tuple[Any, ...]]
    others: tuple[tuple[int, Field[Any, Any]], ...]
    head: str
    places: str


def _insert(model: type[Model], rows: Sequence[Model]) -> tuple[str, list[Any]]:
    form = _form(model, connection.vendor)
    places = ", ".join([f"({form.places})"] * len(rows))
    return f"{form.head} VALUES {places}", _values(form, rows)


def _selecting(row: Model) -> tuple[str, list[Any]]:
    """Return the statement that inserts ``row``, such that a FROM may follow."""
    form = _form(type(row), connection.vendor)
    return f"{form.head} SELECT {form.places}", _values(form, [row])


def _values(form: _Form, rows: Sequence[Model]) -> list[Any]:
    database = connections[DEFAULT_DB_ALIAS]
    values: list[Any] = []
    for row in rows:
        start = len(values)
        values += form.take(row)
        for position, field in form.others:
            written = field.get_db_prep_save(field.pre_save(row, add=True), database)
            values[start + position] = written
    return values


@lru_cache
def _form(model: type[Model], vendor: str) -> _Form:
    quote = connection.ops.quote_name
    fields = [
        field
        for field in model._meta.concrete_fields
        if not field.generated and field is not model._meta.auto_field
    ]
    names = ", ".join(quote(field.column) for field in fields if field.column)
    return _Form(
        take=attrgetter(*[field.attname for field in fields]),
        others=tuple((n, field) for n, field in enumerate(fields) if not _is_plain(field, vendor)),
        head=f"INSERT INTO {quote(model._meta.db_table)} ({names})",
        places=", ".join(["%s"] * len(fields)),
    )


def _is_plain(field: Field[Any, Any], vendor: str) -> bool:
    """Return whether the driver writes the attribute's value just as the field would have it."""
    if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False):
        return False
    plain = _PLAIN_ON_POSTGRESQL if vendor == "postgresql" else _PLAIN
    kind = field.target_field if isinstance(field, models.ForeignKey) else field
    return isinstance(kind, plain)


def insert_both(row: Model, then: Model) -> bool:
    """Insert ``row`` and ``then``, or neither where ``row`` is there; return whether it was new.

    On PostgreSQL it is one statement, which needs no transaction around it.
    """
    if connection.vendor != "postgresql":
        with transaction.atomic():
            return _one_after_the_other(row, then)
    first, row_values = _insert(type(row), [row])
    last, then_values = _selecting(then)
    return changes_one(
        f"WITH new AS ({first} ON CONFLICT DO NOTHING RETURNING 1) {last} FROM new",
        [*row_values, *then_values],
    )


def insert_in_turn(
    turn: str, turn_values: Sequence[Any], row: Model, then: Model, *, unless: str
) -> bool:
    """Run ``turn``, which locks one row, and then insert ``row`` and ``then``; both or neither.

    Return False, with neither inserted, where ``row`` conflicts in the columns ``unless``; the turn
    is taken all the same, until the transaction ends. On PostgreSQL it is one statement, which
    needs no transaction around it. ``turn`` ends where RETURNING may follow.
    """
    if connection.vendor != "postgresql":
        with transaction.atomic():
            changes_one(turn, turn_values)
            return _one_after_the_other(row, then, on_conflict=f"({unless}) DO NOTHING")
    (first, row_values), (last, then_values) = (_selecting(one) for one in (row, then))
    return changes_one(
        f"WITH turn AS ({turn} RETURNING 1), "
        f"new AS ({first} FROM turn ON CONFLICT ({unless}) DO NOTHING RETURNING 1) "
        f"{last} FROM new",
        [*turn_values, *row_values, *then_values],
    )


def _one_after_the_other(row: Model, then: Model, *, on_conflict: str = "DO NOTHING") -> bool:
    is_new = insert_once(row, on_conflict=on_conflict)
    if is_new:
        insert([then])
    return is_new
