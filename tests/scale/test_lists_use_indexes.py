"""A page costs the same however long the list is: counted in statements and rows, not in time.

Over 30,000 rows a statement that looks through a table, or sorts one, stands out by a factor; over
1,000,000 it would take seconds. What a page takes there is measured by ``script/measure_lists``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import pytest_django
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client as Browser
from django.utils import timezone

from flows_endpoint.traffic import count_what_is_over
from tests.scale import LOOK_THROUGH
from tests.scale.filling import Size, fill
from tests.scale.pages import LONG_TABLES, Page, pages
from tests.scale.statements import Statement, plan, said, touched

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(300)]
SIZE = Size(exchanges=30_000, entries=30_000, keys=10_000)
#: Rows of long tables a statement may look at: what is counted, and a page. In SQLite's steps, of
#: which looking at a row takes some eight.
MOST_ROWS = 6_000
MOST_STEPS = 60_000
#: Statements a page may take, by how its name begins. Lower them when you can.
MOST_STATEMENTS = {
    "overview": 25,
    "exchanges": 16,
    "audit trail": 11,
    "keys": 10,
    "deliveries": 12,
    "clients": 8,
    "flows": 8,
    "page of a client": 10,
    "page of a": 17,
    "its history": 7,
}


@pytest.fixture(scope="module")
def browser(
    django_db_setup: None, django_db_blocker: pytest_django.DjangoDbBlocker
) -> Iterator[Browser]:
    """An administrator of an installation with long lists, all of which is undone at the end."""
    with django_db_blocker.unblock(), transaction.atomic():
        fill(SIZE)
        count_what_is_over(timezone.now())
        made = Browser()
        made.force_login(User.objects.create_superuser("root"))
        yield made
        transaction.set_rollback(True)


def test_every_page_is_few_statements_that_look_at_few_rows(browser: Browser) -> None:
    most = MOST_ROWS if connection.vendor == "postgresql" else MOST_STEPS
    wrong: dict[str, object] = {}
    for page in pages():
        statements = said(browser, page.url)
        if len(statements) > _most_statements(page):
            wrong[page.name] = f"{len(statements)} statements"
        for statement in statements:
            work = _work(statement)
            is_too_much = work > most or _looks_through(statement)
            if is_too_much and page.name not in LOOK_THROUGH:
                wrong[page.name] = (work, statement.text, plan(connection, statement))
    assert wrong == {}


def test_a_statement_without_an_index_would_be_found(browser: Browser) -> None:
    """The measure measures: nothing has an index over the code, and some order."""
    table = "flows_endpoint_exchangerow"
    statement = Statement(f'SELECT * FROM "{table}" WHERE code = %s ORDER BY at LIMIT 50', ["x"])
    most = MOST_ROWS if connection.vendor == "postgresql" else MOST_STEPS
    assert _work(statement) > 1.5 * most
    sorting = Statement(f'SELECT * FROM "{table}" ORDER BY milliseconds LIMIT 50', [])
    assert _work(sorting) > 1.5 * most
    assert _looks_through(sorting) == (connection.vendor == "sqlite")


def test_there_are_pages_of_every_kind(browser: Browser) -> None:
    names = [page.name for page in pages()]
    assert len(names) == len(set(names)) > 110
    for beginning in MOST_STATEMENTS:
        assert any(name.startswith(beginning) for name in names), beginning


def _most_statements(page: Page) -> int:
    return next(most for name, most in MOST_STATEMENTS.items() if page.name.startswith(name))


def _work(statement: Statement) -> int:
    if connection.vendor == "postgresql":
        # To read every match and sort them pays among so few rows, and not among many.
        choice = "off" if "ORDER BY" in statement.text else "on"
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL enable_bitmapscan = {choice}")
            cursor.execute(f"SET LOCAL enable_sort = {choice}")
    return touched(connection, statement)


def _looks_through(statement: Statement) -> bool:
    """Return whether SQLite reads a long table from end to end; in PostgreSQL its rows tell."""
    if connection.vendor != "sqlite" or not statement.is_about_long_tables:
        return False
    scans = re.findall(r"^SCAN (\w+)(.*)$", plan(connection, statement), re.MULTILINE)
    return any(name in LONG_TABLES and "INDEX" not in rest for name, rest in scans)
