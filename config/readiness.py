"""Which of many sockets has something to read: told to one of many threads, and to that one once.

Threads wait together. Of those ``epoll`` wakes the one that came last, so few threads do what
little there is to do, with what they need still at hand.
"""

from __future__ import annotations

import os
import select
import sys
from abc import ABC, abstractmethod
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
        """Return one that has something to read; None if none has, :data:`END` at the end."""

    def end(self) -> None:
        """Have all threads that wait, now or later, told that it is over."""
        os.write(self._ender, b"\0")


if sys.platform == "linux":

    class _Epoll(Readiness):
        def __init__(self) -> None:
            super().__init__()
            self._epoll = select.epoll()
            self._epoll.register(self._end, select.EPOLLIN)

        def add(self, descriptor: int) -> None:
            self._epoll.register(descriptor, select.EPOLLIN | select.EPOLLONESHOT)

        def again(self, descriptor: int) -> None:
            self._epoll.modify(descriptor, select.EPOLLIN | select.EPOLLONESHOT)

        def remove(self, descriptor: int) -> None:
            self._epoll.unregister(descriptor)

        def next(self, *, wait: bool = True) -> int | None:
            for descriptor, _ in self._epoll.poll(None if wait else 0, 1):
                return END if descriptor == self._end else descriptor
            return None

    def make() -> Readiness:
        """Return one that knows of no sockets yet."""
        return _Epoll()

else:  # BSD and macOS

    class _Kqueue(Readiness):
        def __init__(self) -> None:
            super().__init__()
            self._queue = select.kqueue()
            self._change(self._end, select.KQ_EV_ADD)

        def add(self, descriptor: int) -> None:
            self._change(descriptor, select.KQ_EV_ADD | select.KQ_EV_ONESHOT)

        def again(self, descriptor: int) -> None:
            self.add(descriptor)

        def remove(self, descriptor: int) -> None:
            self._change(descriptor, select.KQ_EV_DELETE)

        def next(self, *, wait: bool = True) -> int | None:
            for event in self._queue.control(None, 1, None if wait else 0):
                return END if event.ident == self._end else event.ident
            return None

        def _change(self, descriptor: int, flags: int) -> None:
            self._queue.control([select.kevent(descriptor, select.KQ_FILTER_READ, flags)], 0)

    def make() -> Readiness:
        """Return one that knows of no sockets yet."""
        return _Kqueue()
