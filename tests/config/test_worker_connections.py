"""A worker's database connections outlive its tasks, and none of them meets one that broke."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from celery.fixups.django import DjangoWorkerFixup  # type: ignore[attr-defined]
from celery.signals import task_prerun
from django.db import connection, connections

from config.celery import app

pytestmark = pytest.mark.django_db(transaction=True)


def begin_task(*, is_eager: bool = False) -> None:
    request = SimpleNamespace(is_eager=is_eager)
    task_prerun.send(sender=None, task=SimpleNamespace(request=request))


def break_connection() -> None:
    """Have the server end the connection of this thread."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no server that could")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    other = connections.create_connection("default")
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    finally:
        other.close()


def answer() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 41 + 1")
        return int(cursor.fetchone()[0])


def test_a_task_leaves_its_connection_to_the_next() -> None:
    assert answer() == 42
    kept = connection.connection
    worker = DjangoWorkerFixup(app)
    worker.close_database()  # after a task
    begin_task()
    assert kept is not None
    assert connection.connection is kept
    assert answer() == 42


def test_one_that_broke_is_replaced_before_the_task() -> None:
    break_connection()
    begin_task()
    assert answer() == 42


def test_a_task_run_inside_its_callers_transaction_leaves_the_connection_alone() -> None:
    break_connection()
    broken = connection.connection
    begin_task(is_eager=True)
    assert connection.connection is broken
    connection.close()
