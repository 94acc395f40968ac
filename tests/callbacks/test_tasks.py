"""The bell: all that is due is delivered, nobody waits for the slow, the killed lose nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection

from callbacks import claim, sender, tasks
from callbacks.dispatcher import Round
from callbacks.models import Attempt, Delivery
from callbacks.models.endpoints import DEFAULT_CONCURRENCY
from callbacks.slots import Slots
from callbacks.transport import TimeLimits
from tenants.lifecycle import IssuedFlow
from tests.callbacks.outbox import change, expire_lease, make_due, put
from tests.support import other_process
from tests.support.receiver import Receiver, Reply

Make = Callable[..., IssuedFlow]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("outbound", "rings")]


@pytest.fixture
def rings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    heard: list[int] = []
    monkeypatch.setattr(tasks.deliver_due, "delay", lambda: heard.append(1))
    return heard


def deliver(at_once: int = 16, seconds: float = 20) -> bool:
    """Make one round; return whether it came to an end before its time."""
    with Round(Slots(at_once)) as made:
        return made.claim_and_call(threading.Event(), seconds)


def test_everything_due_is_delivered_once(make_flow: Make, receiver: Receiver) -> None:
    flow = make_flow("citcall", callback_url=receiver.url).flow
    rows = [put(flow, {"n": number}) for number in range(30)]
    tasks.deliver_due()
    assert sorted(r.headers["webhook-id"] for r in receiver.requests) == sorted(
        str(item.pk) for item in rows
    )
    assert set(Delivery.objects.values_list("state", "attempts")) == {("delivered", 1)}
    assert receiver.connections <= DEFAULT_CONCURRENCY
    tasks.deliver_due()
    assert len(receiver.requests) == 30


def test_a_failure_is_tried_again_when_it_is_due_and_not_before(
    make_flow: Make, receiver: Receiver
) -> None:
    receiver.next(Reply(status=500), Reply(hang_up=True))
    delivery = put(make_flow("citcall", callback_url=receiver.url).flow)
    errors = []
    for _ in range(3):
        tasks.deliver_due()
        tasks.deliver_due()
        errors.append(change(delivery).last_error)
        make_due(delivery)
    assert errors == ["http_500", "protocol", ""]
    assert len(receiver.requests) == 3
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    after = change(delivery)
    assert (after.state, after.attempts, after.last_status) == ("delivered", 3, 200)


def test_one_bad_delivery_does_not_stop_the_others(make_flow: Make, receiver: Receiver) -> None:
    flow = make_flow("citcall", callback_url=receiver.url).flow
    rows = [put(flow) for _ in range(20)]
    for item in rows[:10]:
        change(item, body=b"damaged")
    assert deliver(at_once=2)
    assert len(receiver.requests) == 10
    assert Delivery.objects.filter(last_error="unreadable:unknown_format").count() == 10


def test_calls_happen_outside_any_transaction(make_flow: Make, receiver: Receiver) -> None:
    delivery = put(make_flow("citcall", callback_url=receiver.url).flow)
    receiver.next(Reply(delay=0.5))
    worker = threading.Thread(target=_deliver_and_close)
    worker.start()
    receiver.wait_for(1)
    # While the call is under way the lease is committed and the row free to be written.
    started = time.monotonic()
    assert change(delivery).lease_token is not None
    assert change(delivery, subject="written meanwhile").state == "pending"
    assert time.monotonic() - started < 0.4
    worker.join()
    after = change(delivery)
    assert (after.state, after.subject) == ("delivered", "written meanwhile")


def _deliver_and_close() -> None:
    try:
        tasks.deliver_due()
    finally:
        connection.close()


def test_a_ring_during_a_slow_call_is_answered_at_once(make_flow: Make, receiver: Receiver) -> None:
    with Receiver() as slow:
        slow.default = Reply(delay=1.5)
        put(make_flow("citcall", callback_url=slow.url).flow)
        worker = threading.Thread(target=_deliver_and_close)
        worker.start()
        slow.wait_for(1)
        started = time.monotonic()
        put(make_flow("citcall", callback_url=receiver.url).flow)
        tasks.deliver_due()  # returns: the other thread does it
        receiver.wait_for(1)
        assert time.monotonic() - started < 1
        worker.join()
    assert set(Delivery.objects.values_list("state", flat=True)) == {"delivered"}


def test_more_slow_receivers_than_calls_are_all_reached(make_flow: Make) -> None:
    with Receiver() as slow:
        slow.default = Reply(delay=0.1)
        flow = make_flow("citcall", callback_url=slow.url).flow
        for _ in range(9):
            put(flow)
        assert deliver(at_once=3)
        assert len(slow.requests) == 9


def test_many_for_one_slow_receiver_leave_room_for_the_others(
    make_flow: Make, receiver: Receiver
) -> None:
    with Receiver() as slow:
        slow.default = Reply(delay=1.0)
        poisoned = make_flow("citcall", callback_url=slow.url).flow
        for _ in range(DEFAULT_CONCURRENCY + 4):
            put(poisoned)
        for _ in range(3):
            put(make_flow("citcall", callback_url=receiver.url).flow)
        started = time.monotonic()
        worker = threading.Thread(target=_deliver_and_close)
        worker.start()
        receiver.wait_for(3)
        assert time.monotonic() - started < 0.9
        slow.wait_for(DEFAULT_CONCURRENCY)
        assert len(slow.requests) == DEFAULT_CONCURRENCY
        worker.join()
        assert len(slow.requests) == DEFAULT_CONCURRENCY + 4
    assert set(Delivery.objects.values_list("state", "attempts")) == {("delivered", 1)}


def test_a_round_that_waits_for_slow_calls_holds_up_no_other(
    make_flow: Make,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    rings: list[int],
) -> None:
    monkeypatch.setattr(tasks, "LONGEST_ROUND", 0.2)
    with Receiver() as slow:
        slow.default = Reply(delay=1.5)
        put(make_flow("citcall", callback_url=slow.url).flow)
        rings.clear()
        worker = threading.Thread(target=_deliver_and_close)
        worker.start()
        slow.wait_for(1)
        while not rings:
            time.sleep(0.01)
        put(make_flow("citcall", callback_url=receiver.url).flow)
        tasks.deliver_due()
        assert worker.is_alive()
        assert len(receiver.requests) == 1
        worker.join()
    assert set(Delivery.objects.values_list("state", "attempts")) == {("delivered", 1)}


def test_results_are_recorded_though_the_round_broke_off(
    make_flow: Make, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = make_flow("citcall", callback_url=receiver.url).flow
    first, second = put(flow), put(flow)
    prepare = sender.prepare

    def fail(delivery: Delivery) -> object:
        if delivery.pk == second.pk:
            raise OSError
        return prepare(delivery)

    monkeypatch.setattr(sender, "prepare", fail)
    with pytest.raises(OSError):
        tasks.deliver_due()
    assert change(first).state == "delivered"
    assert change(second).state == "pending"
    assert not tasks._delivering.locked()


def test_a_round_ends_and_another_is_rung_for(
    make_flow: Make, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, rings: list[int]
) -> None:
    flow = make_flow("citcall", callback_url=receiver.url).flow
    for _ in range(5):
        put(flow)
    rings.clear()
    assert not deliver(seconds=0)
    assert receiver.requests == []
    monkeypatch.setattr(tasks, "LONGEST_ROUND", 0)
    tasks.deliver_due()
    assert rings == [1]
    assert not tasks._delivering.locked()
    assert Delivery.objects.filter(state="pending", lease_token=None).count() == 5


def test_rings_expire() -> None:
    assert tasks.deliver_due.expires == tasks.RING_EXPIRES


def test_a_lease_is_longer_than_any_attempt() -> None:
    assert claim.LEASE.total_seconds() == 4 * sender.LIMITS.total == 60


def test_a_killed_worker_delays_a_delivery_and_loses_none(
    make_flow: Make, receiver: Receiver
) -> None:
    receiver.next(Reply(delay=20))
    delivery = put(make_flow("citcall", callback_url=receiver.url).flow)
    process = other_process.start("from callbacks.tasks import deliver_due\ndeliver_due()\n")
    try:
        receiver.wait_for(1, seconds=30)
    finally:
        process.kill()
        process.wait()
    held = change(delivery)
    assert (held.state, held.attempts) == ("pending", 1)
    assert held.lease_token is not None
    tasks.deliver_due()
    assert len(receiver.requests) == 1  # the lease of the dead still stands
    expire_lease(delivery)
    tasks.deliver_due()
    first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == str(delivery.pk)
    after = change(delivery)
    assert (after.state, after.attempts, after.lease_token) == ("delivered", 2, None)


def test_a_worker_that_stood_still_after_its_claim_sends_nothing(
    make_flow: Make, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Less than an attempt's time is left of its lease: another worker may soon be at it."""
    delivery = put(make_flow("citcall", callback_url=receiver.url).flow)
    prepare = sender.prepare
    stood_still: list[object] = []

    def stand_still(claimed: Delivery) -> object:
        if not stood_still:
            stood_still.append(claimed.pk)
            assert claimed.leased_until is not None
            claimed.leased_until -= claim.LEASE - timedelta(seconds=sender.LIMITS.total - 1)
        return prepare(claimed)

    monkeypatch.setattr(sender, "prepare", stand_still)
    tasks.deliver_due()
    (late, sent) = Attempt.objects.order_by("number")
    assert (late.error, late.status, late.total_ms) == ("worker_late", None, None)
    assert (sent.error, sent.status) == ("", 200)
    assert len(receiver.requests) == 1
    assert change(delivery).state == "delivered"


def test_a_worker_that_was_too_slow_does_not_overwrite_the_newer_result(
    make_flow: Make, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "LIMITS", TimeLimits(connect=1, read=5, total=5))
    receiver.next(Reply(status=500, delay=1.5), Reply())
    delivery = put(make_flow("citcall", callback_url=receiver.url).flow)
    worker = threading.Thread(target=_deliver_and_close)
    worker.start()
    receiver.wait_for(1)
    expire_lease(delivery)
    deliver()  # by this thread, unless the other one has seen the lease run out before
    receiver.wait_for(2)
    worker.join()
    after = change(delivery)
    assert (after.state, after.last_status, after.last_error) == ("delivered", 200, "")
    assert len(receiver.requests) == 2
