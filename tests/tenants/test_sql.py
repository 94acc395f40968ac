"""Plain statements do what a cursor's would: rows, counts, errors, transactions, watchers."""

from __future__ import annotations

import threading
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import (
    DatabaseError,
    IntegrityError,
    OperationalError,
    connection,
    connections,
    transaction,
)
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from tenants import sql
from tenants.models import InternalSecret

TABLE = InternalSecret._meta.db_table
INSERT = f"INSERT INTO {TABLE} (name, sealed) VALUES (%s, %s)"
IS_POSTGRESQL = connection.vendor == "postgresql"
on_postgresql = pytest.mark.skipif(not IS_POSTGRESQL, reason="PostgreSQL's own")


def names() -> set[str]:
    """Return what the tests wrote; the product's own have longer names."""
    return {name for name in InternalSecret.objects.values_list("name", flat=True) if len(name) < 3}


def kill(pid: int) -> None:
    """End a session of PostgreSQL from another one."""
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    finally:
        other.close()


@pytest.mark.django_db
class TestStatement:
    def test_an_insert_says_how_many_rows_it_made(self) -> None:
        assert sql.run(INSERT, ["a", b"\x00\xff'"]) == (1, [])
        assert bytes(InternalSecret.objects.get(name="a").sealed) == b"\x00\xff'"

    def test_what_changes_nothing_says_so(self) -> None:
        assert sql.run(f"UPDATE {TABLE} SET sealed = %s WHERE name = %s", [b"", "a"]) == (0, [])

    def test_rows_come_as_tuples_in_order(self) -> None:
        for name in ("b", "a", "c"):
            sql.run(INSERT, [name, name.encode()])
        some = f"SELECT name FROM {TABLE} WHERE length(name) = 1 AND name <> %s ORDER BY name"
        done = sql.run(some, ["c"])
        assert done.rows == [("a",), ("b",)]
        assert sql.run(f"SELECT name FROM {TABLE} WHERE name = %s", ["d"]).rows == []

    def test_rows_of_a_change_are_returned(self) -> None:
        assert sql.run(f"{INSERT} RETURNING name", ["a", b""]).rows == [("a",)]

    def test_a_percent_sign_is_written_twice(self) -> None:
        sql.run(INSERT, ["ab", b""])
        statement = f"SELECT name FROM {TABLE} WHERE name LIKE 'a%%b' AND name <> %s"
        assert sql.run(statement, [""]).rows == [("ab",)]

    def test_nothing_is_a_value_too(self) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            sql.run(INSERT, ["a", None])
        assert names() == set()

    @given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
    def test_any_text_comes_back_as_it_was(self, text: str) -> None:
        statement = "SELECT CAST(%s AS text)" if IS_POSTGRESQL else "SELECT %s"
        assert sql.run(statement, [text]).rows == [(text,)]

    def test_a_conflict_is_an_integrity_error(self) -> None:
        sql.run(INSERT, ["a", b""])
        with pytest.raises(IntegrityError), transaction.atomic():
            sql.run(INSERT, ["a", b""])
        assert names() == {"a"}

    def test_what_is_no_statement_is_a_database_error(self) -> None:
        with pytest.raises(DatabaseError), transaction.atomic():
            sql.run("SELEKT 1")

    def test_a_transaction_that_failed_takes_no_more(self) -> None:
        with pytest.raises(transaction.TransactionManagementError), transaction.atomic():
            connection.needs_rollback = True
            sql.run(INSERT, ["a", b""])
        assert names() == set()

    def test_who_watches_statements_sees_it(self) -> None:
        with CaptureQueriesContext(connection) as seen:
            sql.run(INSERT, ["a", b""])
        assert [query["sql"][:11] for query in seen] == ["INSERT INTO"]
        wrapped: list[str] = []

        def wrapper(execute: Any, text: str, values: Any, many: Any, context: Any) -> Any:
            wrapped.append(text)
            return execute(text, values, many, context)

        with connection.execute_wrapper(wrapper):
            sql.run(INSERT, ["b", b""])
        assert wrapped == [INSERT]
        assert names() == {"a", "b"}

    @on_postgresql
    def test_another_thread_s_connection_is_not_for_it(self) -> None:
        found: list[type[BaseException]] = []

        def use() -> None:
            connections["default"] = mine
            try:
                sql.run("SELECT 1")
            except DatabaseError as error:
                found.append(type(error))
            finally:
                del connections["default"]

        mine = connections["default"]
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
        assert found == [DatabaseError]

    @on_postgresql
    def test_long_statements_are_not_kept(self) -> None:
        from tenants.postgresql import base  # noqa: PLC0415

        before = base._remembered.cache_info().currsize
        listed = ", ".join(["%s"] * 2000)
        assert sql.run(f"SELECT 1 WHERE 'x' IN ({listed})", ["x"] * 2000).rows == [(1,)]
        assert base._remembered.cache_info().currsize == before

    @on_postgresql
    def test_the_driver_s_types_go_both_ways(self) -> None:
        values = [uuid.uuid4(), datetime(2026, 1, 2, 3, 4, 5, 6, UTC), 7, 1.5, True, None, b"\x00"]
        kinds = ("uuid", "timestamptz", "bigint", "float8", "boolean", "text", "bytea")
        listed = ", ".join(f"CAST(%s AS {kind})" for kind in kinds)
        assert sql.run(f"SELECT {listed}", values).rows == [tuple(values)]


@pytest.mark.django_db(transaction=True)
class TestTransaction:
    def test_a_block_stands_or_falls_as_one(self) -> None:
        with transaction.atomic():
            sql.run(INSERT, ["a", b""])
        with pytest.raises(RuntimeError), transaction.atomic():
            sql.run(INSERT, ["b", b""])
            raise RuntimeError
        assert names() == {"a"}
        assert not connection.in_atomic_block

    def test_a_block_within_falls_alone(self) -> None:
        with transaction.atomic():
            sql.run(INSERT, ["a", b""])
            with pytest.raises(IntegrityError), transaction.atomic():
                sql.run(INSERT, ["a", b""])
            sql.run(INSERT, ["b", b""])
        assert names() == {"a", "b"}

    def test_what_waits_for_the_commit_runs_after_it_and_only_then(self) -> None:
        seen: list[set[str]] = []
        with transaction.atomic():
            sql.run(INSERT, ["a", b""])
            transaction.on_commit(lambda: seen.append(names()))
            assert seen == []
        assert seen == [{"a"}]
        with pytest.raises(RuntimeError), transaction.atomic():
            transaction.on_commit(lambda: seen.append(set()))
            raise RuntimeError
        assert seen == [{"a"}]

    @on_postgresql
    def test_a_cursor_of_the_server_s_locks_rows_within_a_block(self) -> None:
        sql.run(INSERT, ["a", b""])
        rows = InternalSecret.objects.filter(name="a")
        with transaction.atomic():
            assert [row.name for row in rows.select_for_update().iterator()] == ["a"]
        assert [row.name for row in rows.iterator()] == ["a"]

    @on_postgresql
    def test_what_failed_without_a_word_does_not_pass_for_stored(self) -> None:
        told: list[str] = []
        with pytest.raises(DatabaseError, match="ROLLBACK"), transaction.atomic():
            sql.run(INSERT, ["a", b""])
            transaction.on_commit(lambda: told.append("committed"))
            with suppress(IntegrityError):
                sql.run(INSERT, ["a", b""])
        assert (names(), told) == (set(), [])
        with transaction.atomic():
            sql.run(INSERT, ["b", b""])
        assert names() == {"b"}

    def test_without_a_block_each_statement_stands_by_itself(self) -> None:
        sql.run(INSERT, ["a", b""])
        connections["default"].close()
        assert names() == {"a"}

    @on_postgresql
    def test_a_block_that_is_open_when_its_session_ends_leaves_nothing(self) -> None:
        with pytest.raises(OperationalError), transaction.atomic():
            sql.run(INSERT, ["a", b""])
            kill(sql.run("SELECT pg_backend_pid()").rows[0][0])
            sql.run(INSERT, ["b", b""])
        connection.close_if_unusable_or_obsolete()
        assert names() == set()

    @on_postgresql
    def test_a_commit_that_finds_its_session_gone_is_an_error(self) -> None:
        with pytest.raises(OperationalError), transaction.atomic():
            sql.run(INSERT, ["a", b""])
            kill(sql.run("SELECT pg_backend_pid()").rows[0][0])
        connection.close_if_unusable_or_obsolete()
        assert names() == set()

    @on_postgresql
    def test_a_lost_session_is_replaced_before_anything_is_done(self) -> None:
        kill(sql.run("SELECT pg_backend_pid()").rows[0][0])
        assert sql.run("SELECT 1").rows == [(1,)]
        kill(sql.run("SELECT pg_backend_pid()").rows[0][0])
        with transaction.atomic():
            sql.run(INSERT, ["a", b""])
        assert names() == {"a"}

    @on_postgresql
    def test_what_may_have_been_done_is_not_done_twice(self) -> None:
        kill(sql.run("SELECT pg_backend_pid()").rows[0][0])
        with pytest.raises(OperationalError):
            sql.run(INSERT, ["a", b""])
        connection.close_if_unusable_or_obsolete()
        assert sql.run("SELECT 1").rows == [(1,)]

    @on_postgresql
    def test_a_constraint_that_waits_for_the_commit_fails_it(self) -> None:
        sql.run("CREATE TABLE waits (n integer UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        try:
            with pytest.raises(IntegrityError), transaction.atomic():
                sql.run("INSERT INTO waits VALUES (1)")
                sql.run("INSERT INTO waits VALUES (1)")
            assert sql.run("SELECT count(*) FROM waits").rows == [(0,)]
        finally:
            sql.run("DROP TABLE waits")

    @on_postgresql
    def test_the_level_of_isolation_is_the_one_that_was_set(self) -> None:
        from psycopg import IsolationLevel  # noqa: PLC0415

        connection.ensure_connection()
        assert connection.connection is not None
        connection.connection.isolation_level = IsolationLevel.SERIALIZABLE
        try:
            with transaction.atomic():
                assert sql.run("SHOW transaction_isolation").rows == [("serializable",)]
        finally:
            connection.connection.isolation_level = None
        with transaction.atomic():
            assert sql.run("SHOW transaction_isolation").rows == [("read committed",)]

    @on_postgresql
    def test_a_transaction_begun_by_hand_is_one(self) -> None:
        transaction.set_autocommit(False)
        try:
            sql.run(INSERT, ["a", b""])
            InternalSecret.objects.create(name="b", sealed=b"")
            transaction.rollback()
        finally:
            transaction.set_autocommit(True)
        assert names() == set()
