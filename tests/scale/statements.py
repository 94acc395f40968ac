"""The statements of a page: caught, run again by themselves, explained."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import Client as Browser

from tests.scale.pages import LONG_TABLES

#: SQLite says that so many steps of its machine were done.
_EVERY = 100


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with its parameters, as Django sends it."""

    text: str
    parameters: Any

    @property
    def is_about_long_tables(self) -> bool:
        """Return whether it reads one of the long tables."""
        return self.text.startswith("SELECT") and any(
            f'"{name}"' in self.text for name in LONG_TABLES
        )


def said(browser: Browser, url: str) -> list[Statement]:
    """Return the reading statements of the page at ``url``, with nothing remembered before."""
    caught: list[Statement] = []

    def catch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip("( ").startswith(("SELECT", "WITH")):
            caught.append(Statement(sql, params))
        return execute(sql, params, many, context)

    cache.clear()
    with connection.execute_wrapper(catch):
        assert browser.get(url).status_code == 200
    return caught


def run(database: BaseDatabaseWrapper, statement: Statement) -> None:
    """Run it and fetch what it finds."""
    with database.cursor() as cursor:
        cursor.execute(statement.text, statement.parameters)
        cursor.fetchall()


def plan(database: BaseDatabaseWrapper, statement: Statement) -> str:
    """Return how the database finds what the statement asks for."""
    is_postgresql = database.vendor == "postgresql"
    explain = "EXPLAIN (ANALYZE, COSTS OFF) " if is_postgresql else "EXPLAIN QUERY PLAN "
    with database.cursor() as cursor:
        cursor.execute(explain + statement.text, statement.parameters)
        return "\n".join(str(row[-1]) for row in cursor.fetchall())


def touched(database: BaseDatabaseWrapper, statement: Statement) -> int:
    """Return how much work it is: rows of long tables that were looked at, or SQLite's steps."""
    if database.vendor == "postgresql":
        with database.cursor() as cursor:
            cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + statement.text, statement.parameters)
            explained = cursor.fetchone()[0]
        root = (json.loads(explained) if isinstance(explained, str) else explained)[0]["Plan"]
        return sum(_rows(node) for node in _nodes(root))
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += _EVERY
        return 0

    database.connection.set_progress_handler(count, _EVERY)
    try:
        run(database, statement)
    finally:
        database.connection.set_progress_handler(None, _EVERY)
    return steps


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)


def _rows(node: dict[str, Any]) -> int:
    is_bitmap = node["Node Type"] == "Bitmap Index Scan"
    if node.get("Relation Name") not in LONG_TABLES and not is_bitmap:
        return 0
    names = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
    rows: float = node["Actual Loops"] * sum(node.get(name, 0) for name in names)
    return round(rows)
