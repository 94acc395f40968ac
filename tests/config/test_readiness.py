"""A socket with something to read is told to one of those who wait, and once."""

from __future__ import annotations

import queue
import socket
import threading
from collections.abc import Iterator

import pytest

from config import readiness
from config.readiness import END, Readiness


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of one connection."""
    one, other = socket.socketpair()
    with one, other:
        yield one, other


@pytest.fixture
def ready(pair: tuple[socket.socket, socket.socket]) -> Readiness:
    """One that knows of the first end."""
    made = readiness.make()
    made.add(pair[0].fileno())
    return made


def told(ready: Readiness) -> int | None:
    """Return what is told right now, None if nothing is."""
    one, other = socket.socketpair()
    with one, other:
        # The last of those that have something to read.
        other.send(b"last")
        ready.add(one.fileno())
        descriptor = ready.next()
        return None if descriptor == one.fileno() else descriptor


def test_what_has_nothing_to_read_is_not_told(ready: Readiness) -> None:
    assert told(ready) is None


def test_it_is_told_once_until_asked_again(
    ready: Readiness, pair: tuple[socket.socket, socket.socket]
) -> None:
    pair[1].send(b"one")
    descriptor = pair[0].fileno()
    assert told(ready) == descriptor
    pair[1].send(b"more")
    assert told(ready) is None
    # What is there already counts.
    ready.again(descriptor)
    assert told(ready) == descriptor


def test_a_closed_end_is_told(ready: Readiness, pair: tuple[socket.socket, socket.socket]) -> None:
    pair[1].close()
    assert told(ready) == pair[0].fileno()


def test_with_to_write_it_is_told_when_what_was_sent_is_read(
    ready: Readiness, pair: tuple[socket.socket, socket.socket]
) -> None:
    descriptor = pair[0].fileno()
    pair[1].send(b"one")
    assert told(ready) == descriptor
    ready.again(descriptor, to_write=True)
    assert told(ready) == descriptor
    pair[0].setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            pair[0].send(b"x" * 4096)
    ready.again(descriptor, to_write=True)
    assert told(ready) is None
    pair[1].setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            pair[1].recv(65536)
    assert told(ready) == descriptor


def test_one_that_is_known_already_may_be_new_to_who_adds_it(
    ready: Readiness, pair: tuple[socket.socket, socket.socket]
) -> None:
    ready.add(pair[0].fileno())
    pair[1].send(b"one")
    assert told(ready) == pair[0].fileno()
    assert told(ready) is None


def test_what_was_removed_or_closed_is_not_told(
    ready: Readiness, pair: tuple[socket.socket, socket.socket]
) -> None:
    pair[1].send(b"one")
    ready.remove(pair[0].fileno())
    assert told(ready) is None
    with pytest.raises(OSError, match="No such file"):
        ready.again(pair[0].fileno())
    ready.add(pair[0].fileno())
    pair[0].close()
    assert told(ready) is None


def test_of_many_that_wait_one_is_told_and_at_the_end_all(
    ready: Readiness, pair: tuple[socket.socket, socket.socket]
) -> None:
    came: queue.Queue[int | None] = queue.Queue()

    def wait() -> None:
        descriptor = None
        while descriptor != END:
            descriptor = ready.next()
            came.put(descriptor)

    threads = [threading.Thread(target=wait) for _ in range(4)]
    for thread in threads:
        thread.start()
    pair[1].send(b"one")
    assert came.get(timeout=10) == pair[0].fileno()
    with pytest.raises(queue.Empty):
        came.get(timeout=0.2)
    ready.end()
    for thread in threads:
        thread.join(10)
    assert [came.get(timeout=10) for _ in threads] == [END] * 4
    assert ready.next() == END


def test_one_at_least_of_those_who_wait_is_woken(ready: Readiness) -> None:
    came: queue.Queue[int | None] = queue.Queue()
    threads = [threading.Thread(target=lambda: came.put(ready.next())) for _ in range(3)]
    for thread in threads:
        thread.start()
    ready.wake()
    assert came.get(timeout=10) is None
    ready.end()
    for thread in threads:
        thread.join(10)
    assert {came.get(timeout=10) for _ in range(2)} <= {None, END}
    assert ready.next() == END


def test_a_call_is_kept_for_the_next_who_would_wait(ready: Readiness) -> None:
    for _ in range(100_000):
        ready.wake()
    assert ready.next() is None
