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
    def add(self, descriptor: int, *, to_write: bool = False) -> None:
        """Have a thread told when there is something to read; for one that is new here.

        With ``to_write``, when something can be written.
        """

    @abstractmethod
    def again(self, descriptor: int, *, to_write: bool = False) -> None:
        """Have a thread told again, of one that was told of. Raises OSError if it is closed."""

    @abstractmethod
    def remove(self, descriptor: int) -> None:
        """Forget one that is still open; what is closed is forgotten by itself."""

    @abstractmethod
    def next(self) -> int | None:
        """Wait for one that has something to read and return it; :data:`END` at the end.

        None where :meth:`wake` was called.
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

        def add(self, descriptor: int, *, to_write: bool = False) -> None:
            try:
                self._epoll.register(descriptor, _events(to_write=to_write))
            except FileExistsError:
                self.again(descriptor, to_write=to_write)

        def again(self, descriptor: int, *, to_write: bool = False) -> None:
            self._epoll.modify(descriptor, _events(to_write=to_write))

        def remove(self, descriptor: int) -> None:
            self._epoll.unregister(descriptor)

        def next(self) -> int | None:
            for descriptor, _ in self._epoll.poll(maxevents=1):
                return self._told(descriptor)
            return None

    def _events(*, to_write: bool) -> int:
        return (select.EPOLLOUT if to_write else select.EPOLLIN) | select.EPOLLONESHOT

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

        def add(self, descriptor: int, *, to_write: bool = False) -> None:
            kind = select.KQ_FILTER_WRITE if to_write else select.KQ_FILTER_READ
            self._change(descriptor, select.KQ_EV_ADD | select.KQ_EV_ONESHOT, kind)

        def again(self, descriptor: int, *, to_write: bool = False) -> None:
            self.add(descriptor, to_write=to_write)

        def remove(self, descriptor: int) -> None:
            self._change(descriptor, select.KQ_EV_DELETE)

        def next(self) -> int | None:
            for event in self._queue.control(None, 1):
                return self._told(event.ident)
            return None

        def _change(self, descriptor: int, flags: int, kind: int = select.KQ_FILTER_READ) -> None:
            self._queue.control([select.kevent(descriptor, kind, flags)], 0)

    def make() -> Readiness:
        """Return one that knows of no sockets yet."""
        return _Kqueue()
