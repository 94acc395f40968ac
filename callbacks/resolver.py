"""Names to addresses within a time limit.

``getaddrinfo`` knows no time-out: with a dead name server it holds its caller for half a minute. It
runs in a thread of its own, of which there are only so many, and the caller stops waiting.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import TypeAlias

from callbacks.errors import Kind, TransportError

#: ``resolve(host, seconds)`` returns IP addresses as text, best first, or raises TransportError.
Resolve: TypeAlias = Callable[[str, float], Sequence[str]]

#: Look-ups under way at once in one process.
MOST_LOOKUPS = 32
_slots = threading.BoundedSemaphore(MOST_LOOKUPS)


def resolve(host: str, seconds: float) -> list[str]:
    """Return the addresses of ``host`` as the operating system finds them.

    Raises TransportError: dns when there are none, timeout after ``seconds``.
    """
    slow = TransportError(Kind.TIMEOUT, "The name was not resolved in time.")
    if seconds <= 0 or not _slots.acquire(timeout=seconds):
        raise slow
    answer: SimpleQueue[list[str] | None] = SimpleQueue()
    threading.Thread(target=_look_up, args=(host, answer), name="resolve", daemon=True).start()
    try:
        found = answer.get(timeout=seconds)
    except Empty:
        raise slow from None
    if found is None:
        raise TransportError(Kind.DNS, "The name does not resolve.")
    return found


def _look_up(host: str, answer: SimpleQueue[list[str] | None]) -> None:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        answer.put([str(entry[4][0]) for entry in found])
    except (OSError, UnicodeError):
        answer.put(None)
    finally:
        _slots.release()
