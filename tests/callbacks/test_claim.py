"""One holder at a time; results are the holder's alone; what is not recorded comes back."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import IntegrityError, connections, transaction
from django.utils import timezone

from callbacks import claim
from callbacks.channels import Result
from callbacks.models import Delivery
from tenants.lifecycle import IssuedFlow
from tenants.models import Flow
from tests.callbacks.outbox import change, expire_lease, make_due, put, row
from tests.support import other_process

Make = Callable[..., IssuedFlow]
URL = "http://127.0.0.1:9/hook"


@pytest.fixture
def flow(make_flow: Make) -> Flow:
    return make_flow("citcall", callback_url=URL).flow


@pytest.mark.django_db
class TestClaiming:
    def test_what_is_due_is_leased_longest_due_first(self, flow: Flow) -> None:
        now = timezone.now()
        rows = [put(flow) for _ in range(4)]
        for delivery, seconds in zip(rows, (-10, -30, +30, -20), strict=True):
            change(delivery, next_attempt_at=now + timedelta(seconds=seconds))
        claimed = claim.claim_due(2)
        assert [item.pk for item in claimed] == [rows[1].pk, rows[3].pk]
        for item in claimed:
            assert (item.attempts, item.step, item.state) == (1, 1, "pending")
            assert item.lease_token is not None
            assert item.leased_until is not None
            assert item.leased_until - timezone.now() > timedelta(seconds=50)
        assert [item.pk for item in claim.claim_due(9)] == [rows[0].pk]
        assert claim.claim_due(9) == []
        assert change(rows[2]).attempts == 0

    def test_a_flow_gets_no_more_than_its_share(self, flow: Flow, make_flow: Make) -> None:
        other = make_flow("citcall", callback_url=URL).flow
        many = [put(flow) for _ in range(9)]
        few = [put(other) for _ in range(2)]
        claimed = claim.claim_due(5, most_of_one_flow=3, under_way={flow.pk: 1})
        assert {item.pk for item in claimed} == {item.pk for item in [*many[:2], *few]}
        full = {flow.pk: 3, other.pk: 4}
        assert claim.claim_due(5, most_of_one_flow=3, under_way=full) == []
        assert len(claim.claim_due(50, most_of_one_flow=3)) == 3
        assert len(claim.claim_due(50)) == 4

    def test_delivered_and_failed_rows_are_left_alone(self, flow: Flow) -> None:
        change(put(flow), state="delivered", delivered_at=timezone.now())
        change(put(flow), state="failed")
        assert claim.claim_due(9) == []

    def test_a_lease_that_ran_out_is_given_to_the_next(self, flow: Flow) -> None:
        delivery = put(flow)
        (first,) = claim.claim_due(1)
        assert claim.claim_due(1) == []
        expire_lease(delivery)
        (second,) = claim.claim_due(1)
        assert second.pk == first.pk
        assert second.lease_token != first.lease_token
        assert (second.attempts, second.step) == (2, 2)

    def test_a_lease_stands_and_falls_as_a_whole(self, flow: Flow) -> None:
        delivery = put(flow)
        for values in (
            {"leased_until": timezone.now()},
            {"lease_token": delivery.pk},
            {"lease_token": delivery.pk, "leased_until": timezone.now(), "state": "failed"},
            {"state": "delivered"},
            {"state": "unknown"},
        ):
            with pytest.raises(IntegrityError), transaction.atomic():
                change(delivery, **values)


@pytest.mark.django_db
class TestRecording:
    def test_success_ends_it(self, flow: Flow) -> None:
        delivery = put(flow)
        (held,) = claim.claim_due(1)
        assert claim.record(held, Result(status=202))
        after = change(delivery)
        assert (after.state, after.last_status, after.last_error) == ("delivered", 202, "")
        assert (after.lease_token, after.leased_until) == (None, None)
        assert after.delivered_at is not None
        assert claim.claim_due(1) == []

    def test_a_failure_waits_for_its_next_turn(self, flow: Flow) -> None:
        delivery = put(flow)
        (held,) = claim.claim_due(1)
        before = timezone.now()
        assert claim.record(held, Result(status=503, error="http_503"))
        after = change(delivery)
        assert (after.state, after.last_status, after.last_error) == ("pending", 503, "http_503")
        assert (after.lease_token, after.attempts, after.delivered_at) == (None, 1, None)
        waits = after.next_attempt_at - before
        assert timedelta(seconds=4) <= waits <= timedelta(seconds=6.5)
        assert claim.claim_due(1) == []

    def test_a_permanent_failure_ends_it_at_once(self, flow: Flow) -> None:
        delivery = put(flow)
        (held,) = claim.claim_due(1)
        assert claim.record(held, Result(error="refused_address", is_permanent=True))
        assert change(delivery).state == "failed"

    def test_thirteen_failures_end_it(self, flow: Flow) -> None:
        delivery = put(flow)
        states = []
        for _ in range(13):
            make_due(delivery)
            (held,) = claim.claim_due(1)
            claim.record(held, Result(status=500, error="http_500"))
            states.append(change(delivery).state)
        assert states == ["pending"] * 12 + ["failed"]
        assert change(delivery).attempts == 13
        assert claim.claim_due(1) == []

    @pytest.mark.parametrize("late", [Result(status=200), Result(error="timeout")])
    def test_a_late_result_is_dropped(
        self, late: Result, flow: Flow, caplog: pytest.LogCaptureFixture
    ) -> None:
        delivery = put(flow)
        (first,) = claim.claim_due(1)
        expire_lease(delivery)
        (second,) = claim.claim_due(1)
        before = row(delivery)
        assert not claim.record(first, late)
        assert row(delivery) == before
        assert f"The lease on delivery {delivery.pk} ran out" in caplog.text
        assert claim.record(second, Result(status=200))
        delivered = row(delivery)
        assert not claim.record(first, late)
        assert not claim.record(second, Result(error="timeout"))
        assert row(delivery) == delivered

    def test_a_late_result_that_nobody_overtook_counts(self, flow: Flow) -> None:
        delivery = put(flow)
        (held,) = claim.claim_due(1)
        expire_lease(delivery)
        assert claim.record(held, Result(status=200))
        assert change(delivery).state == "delivered"


@pytest.mark.django_db(transaction=True)
class TestRaces:
    ROWS = 60

    def test_between_threads_each_delivery_has_one_holder(self, flow: Flow) -> None:
        for _ in range(self.ROWS):
            put(flow)
        threads = 6
        together = threading.Barrier(threads)

        def take(_: int) -> list[str]:
            try:
                together.wait()
                taken = []
                while claimed := claim.claim_due(3):
                    taken += [str(item.pk) for item in claimed]
                return taken
            finally:
                connections.close_all()

        with ThreadPoolExecutor(threads) as pool:
            taken = Counter(pk for batch in pool.map(take, range(threads)) for pk in batch)
        self.everything_once(taken)

    def test_between_processes_each_delivery_has_one_holder(self, flow: Flow) -> None:
        for _ in range(self.ROWS):
            put(flow)
        code = """
from callbacks.claim import claim_due
print("ready", flush=True)
sys.stdin.readline()
while claimed := claim_due(2):
    print(*(item.pk for item in claimed), sep="\\n")
"""
        processes = [other_process.start(code) for _ in range(2)]
        try:
            for process in processes:
                assert process.stdout
                assert process.stdout.readline() == "ready\n"
            for process in processes:
                assert process.stdin
                process.stdin.write("go\n")
                process.stdin.flush()
            taken = Counter(
                pk for process in processes for pk in process.communicate(timeout=60)[0].split()
            )
            assert [process.returncode for process in processes] == [0, 0]
        finally:
            for process in processes:
                process.kill()
                process.wait()
        self.everything_once(taken)

    def everything_once(self, taken: Counter[str]) -> None:
        assert len(taken) == self.ROWS
        assert set(taken.values()) == {1}
        assert not Delivery.objects.exclude(attempts=1).exists()

    def test_a_lease_that_ran_out_has_one_next_holder(self, flow: Flow) -> None:
        delivery = put(flow)
        claim.claim_due(1)
        expire_lease(delivery)
        together = threading.Barrier(6)

        def take(_: int) -> int:
            try:
                together.wait()
                return len(claim.claim_due(1))
            finally:
                connections.close_all()

        with ThreadPoolExecutor(6) as pool:
            assert sum(pool.map(take, range(6))) == 1
        assert change(delivery).attempts == 2
