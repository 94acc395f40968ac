"""So many threads serve at once, and who waits elsewhere leaves the seat to another."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tenants.serving_threads import Seats


@pytest.fixture
def seats() -> Seats:
    made = Seats()
    made.set_up(2)
    return made


def test_no_more_serve_at_once_than_there_are_seats(seats: Seats) -> None:
    at_once, most, lock = 0, 0, threading.Lock()

    def serve() -> None:
        nonlocal at_once, most
        with seats.taken():
            with lock:
                at_once += 1
                most = max(most, at_once)
            together.wait(0.05)
            with lock:
                at_once -= 1

    together = threading.Event()
    with ThreadPoolExecutor(8) as threads:
        for _ in range(16):
            threads.submit(serve)
    assert most == 2
    assert 2 <= seats.threads <= 8


def test_a_seat_that_is_left_is_anothers_and_is_waited_for_afterwards() -> None:
    one = Seats()
    one.set_up(1)
    order: list[str] = []
    left, taken = threading.Event(), threading.Event()

    def wait_elsewhere() -> bool:
        with one.taken():
            with one.left():
                left.set()
                assert taken.wait(10)
                had_one = one.has_one
            order.append("served on")
        return had_one

    def serve() -> None:
        assert left.wait(10)
        with one.taken():
            taken.set()
            time.sleep(0.2)
            order.append("served")

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.submit(wait_elsewhere), threads.submit(serve)
        second.result(20)
        assert not first.result(20)
    assert order == ["served", "served on"]


def test_each_that_leaves_does_what_was_asked_of_it_and_who_fails_leaves_too(seats: Seats) -> None:
    said: list[str] = []
    seats.when_left(lambda: said.append("left"))
    with seats.taken(), seats.left():
        assert said == ["left"]
    assert said == ["left", "left"]
    for _ in range(3):
        with pytest.raises(LookupError), seats.taken():
            raise LookupError
        with pytest.raises(LookupError), seats.taken(), seats.left():
            raise LookupError
    with seats.taken():
        pass


def test_a_thread_without_one_leaves_nothing() -> None:
    seats = Seats()
    seats.when_left(lambda: pytest.fail("there was nothing to leave"))
    with seats.left():
        assert not seats.has_one
    assert seats.threads == 0


def test_who_is_back_goes_before_who_has_none_yet_and_has_one_woken() -> None:
    seats = Seats()
    woken = threading.Event()
    seats.set_up(1, woken.set)
    order: list[str] = []
    away, may_return = threading.Event(), threading.Event()

    def elsewhere() -> None:
        with seats.taken():
            with seats.left():
                away.set()
                assert may_return.wait(10)
            order.append("back")

    def wait_for_requests() -> None:
        with seats.taken():
            may_return.set()
            assert woken.wait(10)
            assert seats.are_wanted
            seats.pass_on()
            order.append("on")

    def idle() -> None:
        assert woken.wait(10)
        with seats.taken():
            order.append("idle")

    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(elsewhere)
        assert away.wait(10)
        others = [threads.submit(wait_for_requests), threads.submit(idle)]
        for each in (first, *others):
            each.result(20)
    assert order[0] == "back"
    assert sorted(order) == ["back", "idle", "on"]
    assert not seats.are_wanted


def test_nobody_is_woken_where_a_seat_is_free(seats: Seats) -> None:
    seats.set_up(1, lambda: pytest.fail("there was a seat"))
    with seats.taken(), seats.left():
        pass
    with seats.taken():
        assert seats.has_one


def test_a_seat_goes_to_the_thread_that_waits_since_last() -> None:
    seats = Seats()
    seats.set_up(1)
    order: list[int] = []

    def serve(number: int) -> None:
        with seats.taken():
            order.append(number)

    threads = [threading.Thread(target=serve, args=(number,)) for number in range(3)]
    with seats.taken():
        for number, thread in enumerate(threads, start=1):
            thread.start()
            deadline = time.monotonic() + 10
            while len(seats._idle) < number:
                assert time.monotonic() < deadline
                time.sleep(0.01)
    for thread in threads:
        thread.join(10)
    assert order == [2, 1, 0]
