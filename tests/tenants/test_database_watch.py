"""A database that does not answer is noticed, what waits for it is cut off, and nobody else is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event, Lock
from typing import Any

import pytest
from django.db import OperationalError, connection, connections, transaction
from psycopg import OperationalError as DriverError

from tenants import sql
from tenants.models import InternalSecret
from tenants.postgresql import watch as module
from tenants.postgresql.watch import LOOKS, PATIENCE, Line, Watch
from tests.support.relay import Relay

on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's own")


class FakeLine(Line):
    """A line without a connection."""

    def cut(self) -> None:
        self.is_cut = True


class FakeWatch(Watch):
    """Looks when told to, at a database that answers it or does not."""

    database_answers = True
    asked = 0

    def _answers(self) -> bool:
        self.asked += 1
        return self.database_answers

    def lines(self, *turns: int) -> list[FakeLine]:
        made = [FakeLine() for _ in turns]
        for line, count in zip(made, turns, strict=True):
            line.turns = count
            self.add(line)
        return made


class TestLooks:
    def test_what_waits_for_nothing_is_let_be(self) -> None:
        watch = FakeWatch()
        (idle,) = watch.lines(8)
        for _ in range(LOOKS * PATIENCE * 2):
            watch.look()
        assert (watch.asked, watch.is_away, idle.is_cut) == (0, False, False)

    def test_a_silent_database_is_away_and_every_connection_is_cut_off(self) -> None:
        watch = FakeWatch()
        watch.database_answers = False
        idle, *waiting = watch.lines(2, 3, 5)
        for _ in range(LOOKS // 2):
            assert not watch.is_away
            watch.look()
        watch.look()
        assert watch.is_away
        assert all(line.is_cut for line in (idle, *waiting))
        with pytest.raises(DriverError):
            watch.check()

    def test_a_slow_statement_goes_on_while_the_database_answers_the_watch(self) -> None:
        watch = FakeWatch()
        (slow,) = watch.lines(1)
        for _ in range(LOOKS * 2):
            watch.look()
        assert watch.asked > 0
        assert (watch.is_away, slow.is_cut) == (False, False)

    def test_one_that_takes_very_long_is_cut_off_alone(self) -> None:
        watch = FakeWatch()
        slow, busy = watch.lines(1, 1)
        for _ in range(LOOKS * PATIENCE):
            watch.look()
            busy.turns += 2
            assert not slow.is_cut
        watch.look()
        assert (slow.is_cut, busy.is_cut, watch.is_away, watch.asked) == (True, False, False, 0)

    def test_a_process_may_let_its_statements_take_their_time(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        watch = FakeWatch()
        monkeypatch.setattr(watch, "_run", lambda: None)
        watch.start(1.0, patience=0)
        slow, busy = watch.lines(1, 1)
        for _ in range(LOOKS * PATIENCE * 2):
            watch.look()
            busy.turns += 2
        assert not slow.is_cut
        watch.database_answers = False
        for _ in range(LOOKS):
            watch.look()
        assert slow.is_cut

    def test_a_line_that_ended_is_forgotten(self) -> None:
        watch = FakeWatch()
        watch.database_answers = False
        watch.lines(1)
        for _ in range(LOOKS * 2):
            watch.look()
        assert (watch.asked, watch.is_away) == (0, False)


@pytest.fixture
def relay(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    """Yield what new connections to the database go through; every thread's but this one's."""
    settings = connections.settings["default"]
    connection.ensure_connection()
    with Relay(settings["HOST"], int(settings["PORT"] or 5432)) as made:
        monkeypatch.setitem(settings, "HOST", "127.0.0.1")
        monkeypatch.setitem(settings, "PORT", str(made.port))
        yield made


@pytest.fixture
def watched() -> Iterator[Watch]:
    watch = module.watch
    watch.start(1.0)
    yield watch
    watch.stop()
    connection.close()  # it was cut off with all others


def with_cursor() -> None:
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT 1")


def with_transaction() -> None:
    with transaction.atomic():
        sql.run("SELECT 1")


@on_postgresql
@pytest.mark.usefixtures("relay")
def test_everybody_is_refused_soon_then_at_once_and_then_served_again(
    relay: Relay, watched: Watch
) -> None:
    ways = [lambda: sql.run("SELECT 1"), with_cursor, with_transaction]
    opened, is_held = Event(), Event()

    def use(way: Any) -> list[float]:
        """Return the seconds it takes to be refused: once waiting, and thrice after that."""
        way()
        opened.set()
        is_held.wait()
        refused = []
        for _ in range(4):
            began = time.monotonic()
            with pytest.raises(OperationalError):
                way()
            connections["default"].close_if_unusable_or_obsolete()
            refused.append(time.monotonic() - began)
        relay.go_on()
        deadline = time.monotonic() + 20
        while watched.is_away and time.monotonic() < deadline:
            time.sleep(0.02)
        way()
        connections["default"].close()
        return refused

    with ThreadPoolExecutor(len(ways)) as threads:
        done = [threads.submit(use, way) for way in ways]
        opened.wait()
        time.sleep(0.3)
        relay.hold()
        is_held.set()
        for seconds in (each.result() for each in done):
            first, *later = seconds
            assert 0.3 < first < 10
            assert max(later) < 0.3


@on_postgresql
def test_a_process_that_is_not_watched_waits(relay: Relay) -> None:
    def wait() -> Any:
        try:
            return sql.run("SELECT 1").rows
        finally:
            connections["default"].close()

    relay.hold()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(wait)
        time.sleep(0.5)
        assert not waiting.done()
        relay.go_on()
        assert waiting.result(20) == [(1,)]


def end_all() -> None:
    """End every session of this database but this one."""
    sql.run(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_one_broken_connection_is_enough_for_all_threads_to_look_at_theirs() -> None:
    """After a restart of the database, say, one statement fails, and not one a thread."""
    writes = f"DELETE FROM {InternalSecret._meta.db_table} WHERE name = %s"
    ways: list[Callable[[], object]] = [
        lambda: sql.run(writes, ["a"]),
        lambda: InternalSecret.objects.filter(name="a").delete(),
        with_cursor,
        with_transaction,
    ]
    turn = Lock()
    failed: list[str] = []
    are_open, is_ended = Barrier(len(ways) + 1), Event()

    def use(way: Callable[[], object]) -> None:
        way()
        are_open.wait()
        is_ended.wait()
        with turn:
            try:
                way()
            except OperationalError as error:
                failed.append(type(error).__name__)
            finally:
                connections["default"].close()

    with ThreadPoolExecutor(len(ways)) as threads:
        done = [threads.submit(use, way) for way in ways]
        are_open.wait()
        end_all()
        is_ended.set()
        for each in done:
            each.result()
    assert len(failed) <= 1


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_connection_that_is_whole_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    session = sql.run("SELECT pg_backend_pid()").rows
    monkeypatch.setattr(module.watch, "breaks", module.watch.breaks + 1)
    with transaction.atomic():
        assert sql.run("SELECT pg_backend_pid()").rows == session
    assert sql.run("SELECT pg_backend_pid()").rows == session
