"""The backend: Django's own, but for plain statements and for how transactions begin and end.

Django and psycopg take several times as long around a statement as libpq takes for it: generators,
a cursor's life, values written into the text. What every request does goes straight to psycopg's
wrapper of libpq here (``psycopg.pq``), with psycopg's own adaptation of values. All else is
Django's: when a transaction begins and how it ends, savepoints, errors, the connection's life.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import count
from typing import Any, Final

from django.db.backends.postgresql import base
from django.db.backends.utils import debug_transaction
from psycopg import Connection, IsolationLevel, OperationalError, errors
from psycopg.adapt import PyFormat, Transformer
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

#: Statements whose placeholders are remembered: each of ours, in some lengths.
_MOST_REMEMBERED: Final = 1000


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection. psycopg stays in its autocommit mode; transactions are begun by statement."""

    connection: Connection[Any]

    def run(self, sql: str, values: Sequence[Any]) -> tuple[int, list[tuple[Any, ...]]]:
        """Run one statement; return how many rows it changed or returned, and the rows.

        In the transaction that is open, if one is. Raises DatabaseError and its kinds, as a
        cursor does. Those who wrap or log statements do not see it.
        """
        self.ensure_connection()
        self.validate_no_broken_transaction()
        with self.wrap_database_errors:
            connection = self.connection
            if not connection.autocommit and (
                connection.pgconn.transaction_status == TransactionStatus.IDLE
            ):
                # Somebody turned autocommit off by hand: psycopg's cursor would begin here too.
                self._command(_begin(connection.isolation_level))
            adapter = Transformer(connection)
            dumped = adapter.dump_sequence(values, (PyFormat.AUTO,) * len(values))
            result = connection.pgconn.exec_params(
                _numbered(sql), dumped, adapter.types, adapter.formats
            )
            if result.status == ExecStatus.COMMAND_OK:
                return result.command_tuples or 0, []
            if result.status != ExecStatus.TUPLES_OK:
                raise _error(result, connection)
            adapter.set_pgresult(result)
            return result.ntuples, adapter.load_rows(0, result.ntuples, tuple)

    def _start_transaction_under_autocommit(self) -> None:
        # Django asks for it where a backend has this method, and else turns autocommit off.
        with debug_transaction(self, "BEGIN"), self.wrap_database_errors:
            self._command(_begin(self.connection.isolation_level))

    def _commit(self) -> None:
        if self.connection is not None:
            with debug_transaction(self, "COMMIT"), self.wrap_database_errors:
                self._command(b"COMMIT")

    def _set_autocommit(self, autocommit: bool) -> None:  # noqa: FBT001 - Django's signature
        if self.connection.autocommit != autocommit:
            super()._set_autocommit(autocommit)  # type: ignore[misc]  # the stubs lack it

    def _command(self, command: bytes) -> None:
        result = self.connection.pgconn.exec_(command)
        if result.status != ExecStatus.COMMAND_OK:
            raise _error(result, self.connection)


def _error(result: PGresult, connection: Connection[Any]) -> Exception:
    """Return what psycopg's cursor would raise."""
    if connection.pgconn.status != ConnStatus.OK:
        return OperationalError(connection.pgconn.get_error_message())
    return errors.error_from_result(result, encoding=connection.info.encoding)


@lru_cache
def _begin(level: IsolationLevel | None) -> bytes:
    if level is None:
        return b"BEGIN"
    return f"BEGIN ISOLATION LEVEL {IsolationLevel(level).name.replace('_', ' ')}".encode()


@lru_cache(_MOST_REMEMBERED)
def _numbered(sql: str) -> bytes:
    """Return ``sql`` with libpq's placeholders instead of Django's."""
    numbers = count(1)
    first, *rest = sql.split("%s")
    text = first + "".join(f"${next(numbers)}{part}" for part in rest)
    return text.replace("%%", "%").encode()
