"""Indexes that a database takes for the list they are made for, and only for that."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import F
from django.db.models.expressions import OrderBy


class NewestFirst(models.Index):
    """An index over some columns, then a time: what meets conditions on those, newest first.

    Beside it there is an index over the time alone. PostgreSQL may take that one instead, walk
    back through everything and hope to meet enough rows early: right on average, and a scan of
    the whole table when the rows asked for are few, or old. It decides by guessing how many rows
    meet all conditions together, which it guesses wrong for conditions that depend on each other.

    So the choice is taken from it. This index is in another order, NULLS LAST, which is the same
    for a column without NULL; a list narrowed by the columns is asked for in that order
    (:func:`newest_first`), and the index over the time alone does not offer it. Source:
    PostgreSQL 15 manual, §11.4 (indexes and ORDER BY) and §14.1 (how rows are estimated).
    """

    def __init__(self, *columns: str, time: str = "at", **details: Any) -> None:
        fields = details.pop("fields", None) or (*columns, f"-{time}")
        super().__init__(fields=fields, **details)

    def create_sql(self, model: Any, schema_editor: Any, using: str = "", **details: Any) -> Any:
        """Return the statement that makes the index."""
        index = self
        if schema_editor.connection.vendor == "postgresql":
            index = self.clone()  # type: ignore[assignment]
            index.fields_orders = [
                (name, f"{order} NULLS LAST" if order else "") for name, order in self.fields_orders
            ]
        return super(NewestFirst, index).create_sql(model, schema_editor, using, **details)


def newest_first(time: str, *, is_narrowed: bool) -> OrderBy:
    """Return the order of a list; ``is_narrowed`` asks for that of :class:`NewestFirst`."""
    return F(time).desc(nulls_last=True) if is_narrowed else F(time).desc()


def oldest_first(time: str, *, is_narrowed: bool) -> OrderBy:
    """Return the same order backwards."""
    return F(time).asc(nulls_first=True) if is_narrowed else F(time).asc()
