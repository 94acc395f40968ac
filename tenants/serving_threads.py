"""Seats for the threads that serve requests, and what a thread leaves to others while it waits.

A thread that waits for somebody else's service needs neither the processor nor the database. So a
web process has many threads and few *seats*: who serves has one, and a connection to the database
with it, and who waits elsewhere has left both to others. However many requests wait for a service
that is slow, all others are served as ever; and no more threads compete, and no more
connections are open, than there are seats.

A thread keeps its seat from one request to the next, and between them. So who comes back from
elsewhere may find all of them with threads that wait for requests, and has one of those woken.

Where no seats were set up (a worker, a command, another web server) none of this does anything.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_Doing = Callable[[], object]


def _nothing() -> None:
    pass


class Seats:
    """Those of one process. Safe for use by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._free = 0
        #: A turn for each thread that waits for a seat, locked until it has one.
        self._back: deque[threading.Lock] = deque()
        self._idle: list[threading.Lock] = []
        self._wake: _Doing = _nothing
        self._leaving: list[_Doing] = []
        self._of_thread = threading.local()
        #: Threads that had a seat so far.
        self.threads = 0

    def set_up(self, count: int, wake: _Doing = _nothing) -> None:
        """Give the process so many seats.

        ``wake`` is called where a seat is wanted of a thread that may be waiting for requests; one
        such thread should then look at :attr:`are_wanted`.
        """
        self._free, self._wake = count, wake

    def when_left(self, leave: _Doing) -> None:
        """Have ``leave`` called by each thread just before it leaves its seat."""
        self._leaving.append(leave)

    @property
    def are_wanted(self) -> bool:
        """Return whether a thread is back from elsewhere and waits for a seat."""
        return bool(self._back)

    @property
    def has_one(self) -> bool:
        """Return whether this thread has a seat."""
        return getattr(self._of_thread, "has_one", False)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Have a seat for the time of the block; wait for one behind those who are back."""
        self._take(self._idle)
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
            self._take(self._back)

    def pass_on(self) -> None:
        """Leave the seat to a thread that is back, and wait for another."""
        self._leave()
        self._take(self._idle)

    def _take(self, waiting: deque[threading.Lock] | list[threading.Lock]) -> None:
        turn = threading.Lock()
        with self._lock:
            if self._free:
                self._free -= 1
            else:
                turn.acquire()
                waiting.append(turn)
            if not hasattr(self._of_thread, "has_one"):
                self.threads += 1
        if waiting is self._back and turn.locked():
            self._wake()
        turn.acquire()
        self._of_thread.has_one = True

    def _leave(self) -> None:
        try:
            for leave in self._leaving:
                leave()
        finally:
            self._of_thread.has_one = False
            with self._lock:
                if self._back:
                    self._back.popleft().release()
                elif self._idle:
                    # The one that served last: fewer threads get to need what each keeps.
                    self._idle.pop().release()
                else:
                    self._free += 1


#: The seats of this process.
seats = Seats()
