"""A thread leaves its connection to the next that needs one, unless it is in the middle of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import DatabaseError, connection, connections, transaction

from tenants import sql
from tenants.postgresql import base, watch

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite's are a thread's own"),
]


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """End what was left when the test is over: the database has to go."""
    yield
    for each in base._left:
        each.close()
    base._left.clear()


def backend() -> int:
    ((pid,),) = sql.run("SELECT pg_backend_pid()").rows
    return int(pid)


def in_another_thread(work: Callable[[], Any]) -> Any:
    """Do ``work`` in a new thread, and end the connection it has then."""

    def do() -> Any:
        try:
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as threads:
        return threads.submit(do).result(30)


def test_the_next_thread_goes_on_with_it() -> None:
    mine = backend()
    sql.leave_connection()
    assert connection.connection is None
    assert in_another_thread(backend) == mine
    assert base._left == []


def test_who_comes_back_gets_one_too() -> None:
    mine = backend()
    for _ in range(3):
        sql.leave_connection()
        assert backend() == mine
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        assert cursor.fetchone() == (mine,)
    sql.leave_connection()
    with transaction.atomic():
        assert backend() == mine


def test_one_in_a_transaction_stays() -> None:
    with transaction.atomic():
        mine = backend()
        sql.leave_connection()
        assert base._left == []
        assert backend() == mine


def test_one_whose_statement_failed_stays() -> None:
    with pytest.raises(DatabaseError), connection.cursor() as cursor:
        cursor.execute("SELECT nothing")
    sql.leave_connection()
    assert base._left == []
    assert connection.connection is not None


def test_one_that_broke_meanwhile_is_not_gone_on_with() -> None:
    mine = backend()
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            sql.leave_connection()
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [mine])
    finally:
        other.close()
    watch.watch.breaks += 1  # as another thread found out
    assert in_another_thread(backend) != mine


def test_one_that_is_too_old_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = backend()
    connection.close_at = time.monotonic() + 60
    sql.leave_connection()
    (left,) = base._left
    left.close_at = time.monotonic() - 1
    assert in_another_thread(backend) != mine
    assert left.closed


def test_a_new_thread_writes_and_commits_with_it() -> None:
    backend()
    sql.leave_connection()

    def write() -> None:
        with transaction.atomic():
            sql.run("CREATE TEMPORARY TABLE left_behind (one int) ON COMMIT PRESERVE ROWS")
            sql.run("INSERT INTO left_behind VALUES (%s)", [7])
        sql.leave_connection()

    in_another_thread(write)
    assert sql.run("SELECT one FROM left_behind").rows == [(7,)]
