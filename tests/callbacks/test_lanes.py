"""Lanes: one at a time, in the order they were made, whatever happens to each."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from callbacks import lanes, settle
from callbacks.channels import Result
from callbacks.claim import claim_due
from callbacks.models import Delivery
from callbacks.outbox import enqueue
from callbacks.settle import Finished
from tenants.lifecycle import IssuedFlow
from tenants.models import Flow
from tests.callbacks.outbox import change, make_due, put, set_up

Make = Callable[..., IssuedFlow]
DELIVERED, REFUSED = Result(status=200), Result(error="gone", is_permanent=True)


@pytest.fixture
def flow(make_flow: Make) -> Flow:
    return make_flow("citcall", callback_url="http://127.0.0.1:9/hook").flow


def heads(flow: Flow) -> list[tuple[str, int | None]]:
    pending = Delivery.objects.filter(flow=flow, state="pending", next_attempt_at__isnull=False)
    return sorted(pending.values_list("lane", "position"))


@pytest.mark.django_db
class TestOneAfterTheOther:
    @pytest.mark.parametrize("ending", [DELIVERED, REFUSED])
    def test_the_next_goes_when_the_former_is_settled(self, flow: Flow, ending: Result) -> None:
        rows = [put(flow, lane="a") for _ in range(3)]
        assert [change(item).position for item in rows] == [1, 2, 3]
        for delivery in rows:
            (held,) = claim_due(9)
            assert held.pk == delivery.pk
            assert claim_due(9) == []
            assert settle.record([Finished(held, ending)])
        assert heads(flow) == []

    def test_a_head_that_waits_for_its_next_try_holds_up_its_lane_and_no_other(
        self, flow: Flow
    ) -> None:
        first, second = put(flow, lane="a"), put(flow, lane="a")
        other, free = put(flow, lane="b"), put(flow)
        held = claim_due(9)
        assert {item.pk for item in held} == {first.pk, other.pk, free.pk}
        settle.record([Finished(item, Result(error="http_404")) for item in held])
        assert claim_due(9) == []
        assert change(second).next_attempt_at is None
        make_due(first)
        (again,) = claim_due(9)
        assert again.pk == first.pk
        settle.record([Finished(again, DELIVERED)])
        (next_,) = claim_due(9)
        assert next_.pk == second.pk

    def test_results_of_several_lanes_at_once(self, flow: Flow) -> None:
        rows = {lane: [put(flow, lane=lane) for _ in range(2)] for lane in "abc"}
        held = claim_due(9)
        assert {item.pk for item in held} == {rows[lane][0].pk for lane in "abc"}
        settle.record([Finished(item, DELIVERED) for item in held])
        assert {item.pk for item in claim_due(9)} == {rows[lane][1].pk for lane in "abc"}

    def test_an_endpoint_in_order_has_one_lane_for_what_names_none(self, flow: Flow) -> None:
        set_up(flow, is_fifo=True)
        rows = [put(flow), put(flow), put(flow, lane="own")]
        assert [(change(r).lane, change(r).position) for r in rows] == [
            ("*", 1),
            ("*", 2),
            ("own", 1),
        ]
        set_up(flow, is_fifo=False)
        assert change(put(flow)).lane == ""
        assert heads(flow) == [("", None), ("*", 1), ("own", 1)]

    def test_places_go_on_after_a_lane_was_empty(self, flow: Flow) -> None:
        put(flow, lane="a")
        (held,) = claim_due(1)
        settle.record([Finished(held, DELIVERED)])
        assert change(put(flow, lane="a")).position == 2
        assert heads(flow) == [("a", 2)]


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    """Many writers and workers: places without gaps, one head, everything in order."""

    WRITERS = 4
    EACH = 8

    def test_a_lane_is_held_in_a_transaction_only(self, flow: Flow) -> None:
        endpoint = set_up(flow)
        with pytest.raises(transaction.TransactionManagementError):
            lanes.hold([(endpoint.pk, "a")])
        with pytest.raises(transaction.TransactionManagementError):
            enqueue(str(flow.pk), "call.ended", {})

    def test_the_order_of_commits_is_the_order_of_places(
        self, flow: Flow, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("callbacks.outbox._ring", lambda: None)
        together = threading.Barrier(self.WRITERS + 2)
        finished: list[int] = []
        writing = threading.Event()

        def write(_: int) -> None:
            try:
                together.wait()
                for _ in range(self.EACH):
                    put(flow, lane="a")
            finally:
                connections.close_all()

        def work(_: int) -> None:
            try:
                together.wait()
                while not writing.is_set() or heads(flow):
                    for held in claim_due(3):
                        assert held.position is not None
                        finished.append(held.position)
                        settle.record([Finished(held, DELIVERED)])
            finally:
                connections.close_all()

        with ThreadPoolExecutor(self.WRITERS + 2) as pool:
            working = [pool.submit(work, number) for number in range(2)]
            for done in [pool.submit(write, number) for number in range(self.WRITERS)]:
                done.result()
            writing.set()
            for done in working:
                done.result()
        assert finished == list(range(1, self.WRITERS * self.EACH + 1))
        assert not Delivery.objects.exclude(state="delivered").exists()

    def test_a_writer_that_has_not_committed_yet_is_not_overtaken(self, flow: Flow) -> None:
        if connection.vendor == "sqlite":
            pytest.skip("SQLite has one writer at a time")
        begun, go_on = threading.Event(), threading.Event()

        def slow() -> None:
            try:
                with transaction.atomic():
                    enqueue(str(flow.pk), "first", {}, lane="a")
                    begun.set()
                    assert go_on.wait(10)
            finally:
                connections.close_all()

        def quick() -> None:
            try:
                put(flow, lane="a")
            finally:
                connections.close_all()

        set_up(flow)
        threads = [threading.Thread(target=slow), threading.Thread(target=quick)]
        threads[0].start()
        assert begun.wait(10)
        threads[1].start()
        threads[1].join(0.3)
        assert threads[1].is_alive()  # waits for the first
        put(flow, lane="b")  # another lane does not
        go_on.set()
        for thread in threads:
            thread.join()
        rows = Delivery.objects.filter(lane="a").order_by("position")
        assert [item.event for item in rows] == ["first", "call.ended"]
        assert rows[0].next_attempt_at is not None
        assert rows[0].next_attempt_at <= timezone.now()
        assert rows[1].next_attempt_at is None
