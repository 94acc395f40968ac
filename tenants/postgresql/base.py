"""The backend: Django's own, but for plain statements and for how transactions begin and end.

Django and psycopg take several times as long around a statement as libpq takes for it: generators,
a cursor's life, values written into the text. What every request does goes straight to psycopg's
wrapper of libpq here (``psycopg.pq``), with psycopg's own adaptation of values. All else is
Django's: when a transaction begins and how it ends, savepoints, errors, the connection's life.

Whatever waits for the server is seen by :mod:`tenants.postgresql.watch`, a cursor's too.

A thread may leave its connection to the others of the process (:meth:`DatabaseWrapper.leave`); who
needs one takes the one that was left last before it opens another.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import count
from typing import Any, Final

from django.db.backends.postgresql import base
from django.db.backends.utils import debug_transaction
from psycopg import IsolationLevel, OperationalError, errors
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

from tenants.postgresql.watch import Line, WatchedConnection, watch

#: Connections that no thread has, the one left last at the end.
_left: Final[list[WatchedConnection]] = []
# They are the parent's.
os.register_at_fork(after_in_child=_left.clear)
#: Statements whose placeholders are remembered: each of ours, in some lengths.
_MOST_REMEMBERED: Final = 1000
#: The longest of them, in characters: those of many rows have as many forms as there are rows.
_LONGEST_REMEMBERED: Final = 4000
_MARK: Final = re.compile("%[s%]")


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection. psycopg stays in its autocommit mode; transactions are begun by statement."""

    connection: WatchedConnection

    def leave(self) -> None:
        """Leave the connection to whichever thread needs one next, unless it is in the middle."""
        connection = self.connection
        if connection is None or self.in_atomic_block or self.errors_occurred:
            return
        if not self.autocommit or (connection.pgconn.transaction_status != TransactionStatus.IDLE):
            return
        connection.close_at = self.close_at
        self.connection = None  # type: ignore[assignment]  # Django's word for none
        _left.append(connection)

    def ensure_connection(self) -> None:
        """Have a connection: one that was left, or else a new one."""
        while _left and not self._has_connection and not self.in_atomic_block:
            try:
                connection = _left.pop()
            except IndexError:  # another thread was faster
                break
            self._take(connection)
        super().ensure_connection()

    @property
    def _has_connection(self) -> bool:
        return self.connection is not None

    def _take(self, connection: WatchedConnection) -> None:
        """Go on with a connection that was left, if it is as good as this thread's own would be."""
        self.connection = connection
        self.close_at = connection.close_at
        self.autocommit = True
        if self.close_at is not None and time.monotonic() >= self.close_at:
            self.close()
        else:
            self.close_if_health_check_failed()

    def run(self, sql: str, values: Sequence[Any]) -> tuple[int, list[tuple[Any, ...]]]:
        """Run one statement; return how many rows it changed or returned, and the rows.

        In the transaction that is open, if one is. Raises DatabaseError and its kinds, as a
        cursor does; also for more than 65,535 values, and for COPY. Those who wrap or log
        statements do not see it. A SELECT outside of a transaction is asked once more where the
        connection turns out to be lost.
        """
        self.validate_thread_sharing()
        self.close_if_health_check_failed()
        self.ensure_connection()
        self.validate_no_broken_transaction()
        with self.wrap_database_errors:
            try:
                return self._run(sql, values)
            except OperationalError:
                if not (sql.startswith("SELECT") and self._is_replaced()):
                    raise
                return self._run(sql, values)

    def _run(self, sql: str, values: Sequence[Any]) -> tuple[int, list[tuple[Any, ...]]]:
        connection = self.connection
        if not connection.autocommit and (
            connection.pgconn.transaction_status == TransactionStatus.IDLE
        ):
            # Somebody turned autocommit off by hand: psycopg's cursor would begin here too.
            self._begin()
        adapter = Transformer(connection)
        dumped = adapter.dump_sequence(values, (PyFormat.AUTO,) * len(values))
        result = _ask(
            connection,
            connection.pgconn.exec_params,
            *(_numbered(sql), dumped, adapter.types, adapter.formats),
        )
        if result.status == ExecStatus.COMMAND_OK:
            return result.command_tuples or 0, []
        if result.status != ExecStatus.TUPLES_OK:
            raise _error(result, connection)
        adapter.set_pgresult(result)
        return result.ntuples, adapter.load_rows(0, result.ntuples, tuple)

    def close_if_health_check_failed(self) -> None:
        """Have the next statement find a connection that works, as far as can be known.

        One opened before another was found broken is looked at, and replaced if it broke too.
        """
        super().close_if_health_check_failed()
        if (
            (connection := self.connection) is not None
            and connection.line.breaks != watch.breaks
            and self.autocommit
            and not self.in_atomic_block
        ):
            known = watch.breaks
            if self.is_usable():
                connection.line.breaks = known
            else:
                self.close()

    def get_new_connection(self, conn_params: dict[str, Any]) -> WatchedConnection:
        """Open a connection; where the process is watched, within its time."""
        watch.check()
        if (seconds := watch.connect_seconds) is not None:
            conn_params.setdefault("connect_timeout", seconds)
        line = Line()
        watch.add(line)
        line.turns += 1
        connection: Any = super().get_new_connection(conn_params)
        line.turns += 1
        line.pgconn = connection.pgconn
        # Django makes psycopg's own. Only how it waits is another's.
        connection.__class__ = WatchedConnection
        connection.line = line
        opened: WatchedConnection = connection
        return opened

    def _close(self) -> None:
        if self.connection is not None:
            with self.connection.line.closing:
                super()._close()  # type: ignore[misc]  # the stubs lack it

    def create_cursor(self, name: str | None = None) -> Any:
        """Return a cursor; a named one ends with the transaction, where one is open.

        Django's would outlive it: it asks psycopg, which does not know of ours.
        """
        if name is None or not self.in_atomic_block:
            return super().create_cursor(name)
        kind: Any = base.ServerSideCursor  # the stubs lack what it takes
        return kind(self.connection, name=name, scrollable=False, withhold=False)

    def _start_transaction_under_autocommit(self) -> None:
        # Django asks for it where a backend has this method, and else turns autocommit off.
        with debug_transaction(self, "BEGIN"), self.wrap_database_errors:
            try:
                self._begin()
            except OperationalError:
                if not self._is_replaced():
                    raise
                self._begin()

    def _begin(self) -> None:
        self._command(_beginning(self.connection.isolation_level), expected=b"BEGIN")

    def _is_replaced(self) -> bool:
        """Open a connection in place of one that was lost, where no transaction was lost with it.

        Return whether. What was cut off for taking too long would only take as long again.
        """
        lost = self.connection
        if lost.pgconn.status == ConnStatus.OK or lost.line.is_cut:
            return False
        if self.in_atomic_block or not self.autocommit:
            return False
        self.close()
        self.connect()
        return True

    def _commit(self) -> None:
        if self.connection is not None:
            with debug_transaction(self, "COMMIT"), self.wrap_database_errors:
                self._command(b"COMMIT", expected=b"COMMIT")

    def _set_autocommit(self, autocommit: bool) -> None:  # noqa: FBT001 - Django's signature
        if self.connection.autocommit != autocommit:
            super()._set_autocommit(autocommit)  # type: ignore[misc]  # the stubs lack it

    def _command(self, command: bytes, *, expected: bytes) -> None:
        result = _ask(self.connection, self.connection.pgconn.exec_, command)
        if result.status != ExecStatus.COMMAND_OK:
            raise _error(result, self.connection)
        if (said := result.command_status) != expected:
            # A transaction in which a statement failed is not committed, and PostgreSQL says so
            # without an error. What is lost must not pass for stored.
            raise errors.InFailedSqlTransaction(f"The transaction ended with {said!r}.")


def _ask(connection: WatchedConnection, ask: Callable[..., PGresult], *arguments: Any) -> PGresult:
    """Return what ``ask`` does, which waits for the server."""
    if watch.is_away:
        watch.check()
    line = connection.line
    line.turns += 1
    try:
        return ask(*arguments)
    finally:
        line.turns += 1


def _error(result: PGresult, connection: WatchedConnection) -> Exception:
    """Return what psycopg's cursor would raise."""
    if connection.pgconn.status != ConnStatus.OK:
        watch.found_broken(connection.line)
        return OperationalError(connection.pgconn.get_error_message())
    return errors.error_from_result(result, encoding=connection.info.encoding)


@lru_cache
def _beginning(level: IsolationLevel | None) -> bytes:
    if level is None:
        return b"BEGIN"
    return f"BEGIN ISOLATION LEVEL {IsolationLevel(level).name.replace('_', ' ')}".encode()


def _numbered(sql: str) -> bytes:
    """Return ``sql`` with libpq's placeholders instead of Django's."""
    return (_remembered if len(sql) <= _LONGEST_REMEMBERED else _written)(sql)


def _written(sql: str) -> bytes:
    numbers = count(1)
    return _MARK.sub(lambda mark: "%" if mark[0] == "%%" else f"${next(numbers)}", sql).encode()


_remembered: Final = lru_cache(_MOST_REMEMBERED)(_written)
