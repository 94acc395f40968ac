"""Whether the database answers: found out once, and then known to every thread of the process.

libpq waits for ever for a server that stands still, and the system of such a server goes on
acknowledging what it gets. So in web and worker processes a thread of its own looks at what the
others wait for. Where nothing was answered for a while, it asks the database itself. If that is in
vain too, the database is *away*: what waits is cut off, and whoever asks next is refused at once
rather than held, until the watching thread has got an answer.

In a web process one statement that takes very long while the database answers is cut off alone; a
worker's may take its time, as what it deletes or counts has no bound. What a worker was at is done
again: rows say what is due, and a delivery that was claimed comes back with its lease.

Management commands are not watched: somebody stands before them, and what they do, migrations above
all, may not be cut off half-way by a database that is merely slow.

A statement pays two additions for it: ``turns`` of its line counts when the server is asked and
when it has answered.

A connection that is found broken says something about all others (a restart, a failover). In
every process, watched or not, those opened before are looked at before their next use.
"""

from __future__ import annotations

import logging
import math
import os
import select
import socket
import threading
from contextlib import closing, suppress
from typing import Any, Final
from weakref import WeakKeyDictionary

from django.db import DEFAULT_DB_ALIAS, connections
from psycopg import Connection, Error, OperationalError
from psycopg.abc import PQGen
from psycopg.errors import ConnectionTimeout
from psycopg.pq import ConnStatus
from psycopg.pq.abc import PGconn

logger = logging.getLogger(__name__)

#: Looks in the seconds after which the database is away: half of them pass in silence, in the rest
#: it is asked. Looks are counted, and not the time: a process that stood still has not looked.
LOOKS: Final = 10
#: So many times as long a single statement of a web process may take while the database answers.
PATIENCE: Final = 6
#: psycopg takes no shorter time to connect.
_LEAST_TO_CONNECT: Final = 2


class Line:
    """One connection, from before it is opened. ``turns`` is odd while its thread waits."""

    def __init__(self) -> None:
        self.turns = 0
        self.is_cut = False
        self.pgconn: PGconn | None = None
        #: The breaks that were known when it was opened, or looked at.
        self.breaks = watch.breaks
        # The number of a socket may be another's as soon as it is closed.
        self.closing = threading.Lock()

    def cut(self) -> None:
        """Have what waits for the server fail, now and later."""
        with self.closing, suppress(Error, OSError):
            if self.pgconn is not None:
                self.is_cut = True
                with socket.socket(fileno=os.dup(self.pgconn.socket)) as copy:
                    copy.shutdown(socket.SHUT_RDWR)


class Watch:
    """What the threads of one process wait for. Nothing is cut off before :meth:`start`."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.is_away = False
        #: How often a connection was found broken, or the database away.
        self.breaks = 0
        self._seconds = 0.0
        self._patience = PATIENCE
        self._adding = threading.Lock()
        #: Each line's turns at the last look, and for how many looks they have been so.
        self._seen: WeakKeyDictionary[Line, tuple[int, int]] = WeakKeyDictionary()
        self._silent = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def connect_seconds(self) -> int | None:
        """Return how long opening a connection may take, or None where nothing is watched."""
        return _to_connect(self._seconds) if self._seconds else None

    def start(self, seconds: float, *, patience: int = PATIENCE) -> None:
        """Take the database for away after ``seconds`` without any answer. Never before a fork.

        While it answers, one statement may take ``patience`` times as long; 0 is without limit.
        """
        self._seconds = seconds
        self._patience = patience
        self._thread = threading.Thread(target=self._run, name="database-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; what waits may do so for ever again."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._begin()

    def add(self, line: Line) -> None:
        """Look at ``line`` too, as long as it exists."""
        with self._adding:
            self._seen[line] = (0, 0)

    def check(self) -> None:
        """Refuse where the database is away. Raises OperationalError."""
        if self.is_away:
            raise OperationalError("The database does not answer; it is not asked until it does.")

    def found_broken(self, line: Line) -> None:
        """Note that ``line`` was found broken, unless that was to be expected."""
        if line.breaks == self.breaks:
            self.breaks += 1

    def look(self) -> None:
        """Look at every line once; cut off what has waited for too long."""
        with self._adding:
            lines = list(self._seen.items())
        waiting: list[tuple[Line, int]] = []
        is_answered = False
        for line, (before, looks) in lines:
            turns = line.turns
            looks = looks + 1 if turns == before else 0  # noqa: PLW2901
            is_answered |= turns // 2 > before // 2
            self._seen[line] = (turns, looks)
            if turns % 2:
                waiting.append((line, looks))
        self._silent = self._silent + 1 if waiting and not is_answered else 0
        if self._silent >= LOOKS // 2 and not self.is_away:
            self._silent = 0
            self.is_away = not self._answers()
            if self.is_away:
                self.breaks += 1
                # Those at rest too: they may be lost without a trace.
                waiting = [(line, 0) for line, _ in lines]
                logger.error(
                    "The database does not answer. Until it does, what needs it is refused."
                )
        for line, looks in waiting:
            takes_too_long = self._patience and looks >= LOOKS * self._patience
            if self.is_away or takes_too_long:
                line.cut()

    def _run(self) -> None:
        while not self._stop.wait(self._seconds / LOOKS):
            self.look()
            if self.is_away and self._answers():
                self.is_away = False
                logger.warning("The database answers again.")

    def _answers(self) -> bool:
        """Return whether the server says anything at all; a refusal tells who asks at once."""
        seconds = self._seconds / 2
        parameters = connections[DEFAULT_DB_ALIAS].get_connection_params()
        parameters["connect_timeout"] = _to_connect(seconds)
        try:
            with closing(Connection[Any].connect(**parameters)) as own:
                own.pgconn.send_query(b"SELECT 1")
                answer = select.poll()
                answer.register(own.pgconn.socket, select.POLLIN)
                return bool(answer.poll(seconds * 1000))
        except ConnectionTimeout:
            return False
        except Error:
            return True


class WatchedConnection(Connection[Any]):
    """psycopg's connection, for cursors: whatever it waits for is a turn of its line."""

    line: Line
    #: When it is too old, on the monotonic clock; None for never. While no thread has it.
    close_at: float | None = None

    def wait(self, gen: PQGen[Any], *arguments: Any, **named: Any) -> Any:
        """Wait for what ``gen`` is after. Raises OperationalError where the database is away."""
        watch.check()
        self.line.turns += 1
        try:
            return super().wait(gen, *arguments, **named)
        except OperationalError:
            if self.pgconn.status != ConnStatus.OK:
                watch.found_broken(self.line)
            raise
        finally:
            self.line.turns += 1


def _to_connect(seconds: float) -> int:
    return max(_LEAST_TO_CONNECT, math.ceil(seconds))


#: The one of this process.
watch: Final = Watch()
