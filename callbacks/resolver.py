"""Names to addresses within a time limit.

``getaddrinfo`` knows no time-out: with a dead name server it holds its caller for half a minute. It
runs in a thread of its own, of which there are only so many, and the caller stops waiting. Callers
that ask for the same name share one look-up, so a name without an answer takes one place, however
many messages are for it.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from callbacks.errors import Kind, TransportError

#: ``resolve(host, seconds)`` returns IP addresses as text, best first, or raises TransportError.
Resolve: TypeAlias = Callable[[str, float], Sequence[str]]

#: Look-ups under way at once in one process.
MOST_LOOKUPS = 32


class _LookUp:
    """One look-up under way. ``found`` is None where the name does not resolve."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.found: list[str] | None = None


class _UnderWay:
    """The look-ups under way in this process, by name."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew. In a forked process: the threads of the look-ups are the parent's."""
        self.places = threading.BoundedSemaphore(MOST_LOOKUPS)
        self.lock = threading.Lock()
        self.by_host: dict[str, _LookUp] = {}

    def join(self, host: str, seconds: float) -> _LookUp | None:
        """Return the look-up of ``host``, begun here if need be; None without a free place."""
        with self.lock:
            look_up = self.by_host.get(host)
        if look_up is not None:
            return look_up
        if seconds <= 0 or not self.places.acquire(timeout=seconds):
            return None
        with self.lock:
            look_up = self.by_host.get(host)
            if look_up is not None:  # another caller was first
                self.places.release()
                return look_up
            look_up = self.by_host[host] = _LookUp()
        thread = threading.Thread(target=self._run, args=(host, look_up), name="resolve")
        thread.daemon = True
        try:
            thread.start()
        except RuntimeError:  # the system has no thread left
            self._end(host, look_up)
        return look_up

    def _run(self, host: str, look_up: _LookUp) -> None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            look_up.found = [str(entry[4][0]) for entry in found]
        except (OSError, UnicodeError):
            look_up.found = None
        finally:
            self._end(host, look_up)

    def _end(self, host: str, look_up: _LookUp) -> None:
        with self.lock:
            del self.by_host[host]
        self.places.release()
        look_up.done.set()


_under_way = _UnderWay()
os.register_at_fork(after_in_child=_under_way.forget)


def resolve(host: str, seconds: float) -> list[str]:
    """Return the addresses of ``host`` as the operating system finds them.

    Raises TransportError: dns when there are none, timeout after ``seconds``.
    """
    deadline = time.monotonic() + seconds
    look_up = _under_way.join(host, seconds)
    if look_up is None or not look_up.done.wait(max(0.0, deadline - time.monotonic())):
        raise TransportError(Kind.TIMEOUT, "The name was not resolved in time.")
    if look_up.found is None:
        raise TransportError(Kind.DNS, "The name does not resolve.")
    return list(look_up.found)
