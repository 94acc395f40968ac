"""The exchange log is written behind the requests' backs: in batches, by one thread a process.

A request hands over its entry and goes on. The thread writes lines and rows when half a second
has passed or enough entries have come, and what is left when the process ends. What a killed
process loses is its last second of *log rows*; business rows are written by the request itself,
in its own transaction, before the partner gets an answer.

While the database is away rows wait, up to a limit; beyond it they are dropped, counted and
complained about, and no request ever waits. The thread is started by the first entry, so a
process that forks has none to lose.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from django.db import InterfaceError, OperationalError, close_old_connections, connection

from flows_endpoint import log_entries, metrics, telemetry
from flows_endpoint.log_entries import Entry

logger = logging.getLogger(__name__)

#: Seconds an entry waits at most for others to go along with.
PAUSE: Final = 0.5
#: Entries that are written without waiting for more.
ENOUGH: Final = 500
#: Rows that wait at most while the database is away: some 30 MB.
MOST_WAITING: Final = 50_000
#: Seconds before the database is tried again, and between two complaints.
_AGAIN: Final = 1.0
_COMPLAINT: Final = 10.0
#: Seconds the end of a process waits for what is left.
_LAST_CALL: Final = 10.0

_Entries = Sequence[Entry]


class LogWriter:
    """The queue of one process, and the thread that empties it. :meth:`put` is for many threads.

    ``tell`` gets each entry once, whatever the database does; ``store`` writes rows or raises
    DatabaseError. ``runs_by_itself`` false is for tests: nothing happens until :meth:`flush`.
    """

    def __init__(
        self,
        tell: Callable[[_Entries], None],
        store: Callable[[_Entries], None],
        *,
        most_waiting: int = MOST_WAITING,
        runs_by_itself: bool = True,
    ) -> None:
        self._tell = tell
        self._store = store
        self._most_waiting = most_waiting
        self._runs_by_itself = runs_by_itself
        self._begin()

    def _begin(self) -> None:
        self._fresh: deque[Entry] = deque()
        self._waiting: deque[Entry] = deque()
        self._starting = threading.Lock()
        self._writing = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_ending = False
        self._complained_at = float("-inf")
        #: Rows that were given up so far.
        self.dropped = 0

    @property
    def waiting(self) -> int:
        """Return how many entries have no row yet."""
        return len(self._fresh) + len(self._waiting)

    def put(self, entry: Entry) -> None:
        """Take ``entry`` along; never waits and never raises."""
        if len(self._fresh) >= self._most_waiting:  # the thread is stuck in the database
            self._drop(1, "not_taken")
            return
        self._fresh.append(entry)
        if self._thread is None:
            self._start()
        elif len(self._fresh) >= ENOUGH:
            self._wake.set()

    def flush(self) -> bool:
        """Write what is waiting, in this thread; return whether all is written."""
        with self._writing:
            fresh = [self._fresh.popleft() for _ in range(len(self._fresh))]
            if fresh:
                self._tell(fresh)
                self._waiting.extend(fresh)
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(ENOUGH, len(self._waiting)))]
                if left := self._try(batch):
                    self._waiting.extendleft(reversed(left))
                    break
            if (excess := len(self._waiting) - self._most_waiting) > 0:
                for _ in range(excess):
                    self._waiting.popleft()
                self._drop(excess, "database_away")
            return not self._waiting

    def end(self) -> None:
        """Write what is left and stop; called when the process ends."""
        thread, self._is_ending = self._thread, True
        if thread is None:
            return
        self._wake.set()
        thread.join(_LAST_CALL)
        if left := self.waiting:
            self._drop(left, "process_ends")

    def forget(self) -> None:
        """Begin anew in a forked child: entries and thread are the parent's."""
        self._begin()

    # -- how it works ----------------------------------------------------------------------

    def _start(self) -> None:
        if not self._runs_by_itself:
            return
        with self._starting:
            if self._thread is None and not self._is_ending:
                self._thread = threading.Thread(target=self._run, name="exchange-log", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._is_ending:
            self._wake.wait(PAUSE)
            self._wake.clear()
            close_old_connections()
            if not self.flush():
                time.sleep(_AGAIN)
        close_old_connections()
        self.flush()
        connection.close()

    def _try(self, batch: list[Entry]) -> list[Entry]:
        """Store ``batch``; return the entries that have to wait."""
        try:
            self._store(batch)
        except (OperationalError, InterfaceError) as error:
            self._complain("The exchange log has to wait for the database", type(error).__name__)
            return batch
        except Exception as error:  # noqa: BLE001 - one bad entry must not stop the others
            if len(batch) == 1:
                self._drop(1, "refused", type(error).__name__)
                return []
            # One of them is to blame (its flow is gone, say): each for itself, then.
            for number, entry in enumerate(batch):
                if self._try([entry]):
                    return batch[number:]
        return []

    def _drop(self, count: int, cause: str, error: str = "") -> None:
        self.dropped += count
        metrics.DROPPED.labels(cause).inc(count)
        what = f"Rows of the exchange log were dropped, {self.dropped} so far"
        self._complain(what, f"{cause} {error}".strip())

    def _complain(self, what: str, why: str) -> None:
        now = time.monotonic()
        if now - self._complained_at >= _COMPLAINT:
            self._complained_at = now
            logger.error("%s: %s", what, why)


def tell(entries: Sequence[Entry]) -> None:
    """Count ``entries``, send their spans where that is wanted, and write their lines."""
    metrics.observe(entries)
    telemetry.export(entries)
    log_entries.tell(entries)


#: The writer of this process.
writer = LogWriter(tell, log_entries.store)
os.register_at_fork(after_in_child=writer.forget)
atexit.register(writer.end)
