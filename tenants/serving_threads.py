"""Seats for the threads that serve requests, and what a thread leaves to others while it waits.

A thread that waits for somebody else's service needs neither the processor nor the database. So a
web process has many threads and few *seats*: who serves has one, and a connection to the database
with it, and who waits elsewhere has left both to others. However many requests wait for a service
that is slow, all others are served as ever; and no more threads compete, and no more
connections are open, than there are seats.

Where no seats were set up (a worker, a command, another web server) none of this does anything.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue

Leaving = Callable[[], object]


class Seats:
    """Those of one process. Safe for use by many threads."""

    def __init__(self) -> None:
        self._free: SimpleQueue[None] = SimpleQueue()
        self._leaving: list[Leaving] = []
        self._of_thread = threading.local()
        self._counting = threading.Lock()
        #: Threads that had a seat so far.
        self.threads = 0

    def set_up(self, count: int) -> None:
        """Give the process so many seats."""
        for _ in range(count):
            self._free.put(None)

    def when_left(self, leave: Leaving) -> None:
        """Have ``leave`` called by each thread just before it leaves its seat."""
        self._leaving.append(leave)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Have a seat for the time of the block; wait for one."""
        self._take()
        try:
            yield
        finally:
            self._leave()

    @contextmanager
    def left(self) -> Iterator[None]:
        """Be without the seat, if this thread has one, for the time of the block."""
        if not self.has_one:
            yield
            return
        self._leave()
        try:
            yield
        finally:
            self._take()

    @property
    def has_one(self) -> bool:
        """Return whether this thread has a seat."""
        return getattr(self._of_thread, "has_one", False)

    def _take(self) -> None:
        self._free.get()
        if not hasattr(self._of_thread, "has_one"):
            with self._counting:
                self.threads += 1
        self._of_thread.has_one = True

    def _leave(self) -> None:
        try:
            for leave in self._leaving:
                leave()
        finally:
            self._of_thread.has_one = False
            self._free.put(None)


#: The seats of this process.
seats = Seats()
