"""Which of many sockets has something to read: told to one of many threads, and to that one once.

Threads wait together. Of those ``epoll`` wakes the one that came last, so few threads do what
little there is to do, with what they need still at hand.
"""

from __future__ import annotations

import os
import select
import sys
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Final

#: Said to each thread once it is all over.
END: Final = -1


class _Ending:
    """A pipe that has something to read, for every thread, from :meth:`end` on."""

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe()

    def end(self) -> None:
        os.write(self._writer, b"\0")


class Readiness(ABC):
    """Sockets by their file descriptors."""

    def __init__(self) -> None:
        #: Has something to read from the end on, for every thread.
        self._end, self._ender = os.pipe()
        #: Has a byte for each thread that is to be woken.
        self._call, self._caller = os.pipe()
        os.set_blocking(self._call, False)
        os.set_blocking(self._caller, False)

    @abstractmethod
    def add(self, descriptor: int) -> None:
        """Have a thread told when there is something to read; for one that is new here."""

    @abstractmethod
    def again(self, descriptor: int) -> None:
        """Have a thread told again, of one that was told of. Raises OSError if it was removed."""

    @abstractmethod
    def remove(self, descriptor: int) -> None:
        """Forget one that is still open; what is closed is forgotten by itself."""

    @abstractmethod
    def next(self, *, wait: bool = True) -> int | None:
        """Return one that has something to read; None if none has, :data:`END` at the end.

        None also where :meth:`wake` was called.
        """

    def wake(self) -> None:
        """Have a thread that waits, or the next that would, return from :meth:`next`; or some."""
        with suppress(BlockingIOError):  # thousands are called already
            os.write(self._caller, b"\0")

    def _told(self, descriptor: int) -> int | None:
        if descriptor == self._end:
            return END
        if descriptor != self._call:
            return descriptor
        with suppress(BlockingIOError):  # another thread was faster
            os.read(self._call, 1)
        return None

    def end(self) -> None:
        """Have all threads that wait, now or later, told that it is over."""
        os.write(self._ender, b"\0")


if sys.platform == "linux":

    class _Epoll(Readiness):
        def __init__(self) -> None:
            super().__init__()
            self._epoll = select.epoll()
            for descriptor in (self._end, self._call):
                self._epoll.register(descriptor, select.EPOLLIN)

        def add(self, descriptor: int) -> None:
            self._epoll.register(descriptor, select.EPOLLIN | select.EPOLLONESHOT)

        def again(self, descriptor: int) -> None:
            self._epoll.modify(descriptor, select.EPOLLIN | select.EPOLLONESHOT)

        def remove(self, descriptor: int) -> None:
            self._epoll.unregister(descriptor)

        def next(self, *, wait: bool = True) -> int | None:
            for descriptor, _ in self._epoll.poll(None if wait else 0, 1):
                return self._told(descriptor)
            return None

    def make() -> Readiness:
        """Return one that knows of no sockets yet."""
        return _Epoll()

else:  # BSD and macOS

    class _Kqueue(Readiness):
        def __init__(self) -> None:
            super().__init__()
            self._queue = select.kqueue()
            for descriptor in (self._end, self._call):
                self._change(descriptor, select.KQ_EV_ADD)

        def add(self, descriptor: int) -> None:
            self._change(descriptor, select.KQ_EV_ADD | select.KQ_EV_ONESHOT)

        def again(self, descriptor: int) -> None:
            self.add(descriptor)

        def remove(self, descriptor: int) -> None:
            self._change(descriptor, select.KQ_EV_DELETE)

        def next(self, *, wait: bool = True) -> int | None:
            for event in self._queue.control(None, 1, None if wait else 0):
                return self._told(event.ident)
            return None

        def _change(self, descriptor: int, flags: int) -> None:
            self._queue.control([select.kevent(descriptor, select.KQ_FILTER_READ, flags)], 0)

    def make() -> Readiness:
        """Return one that knows of no sockets yet."""
        return _Kqueue()
