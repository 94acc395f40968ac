"""One holder at a time; results are the holder's alone; what is not recorded comes back."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import IntegrityError, connections, transaction
from django.db.models import BinaryField
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from callbacks import claim
from callbacks.models import Attempt, Delivery
from tenants.lifecycle import IssuedFlow
from tenants.models import Flow
from tests.callbacks.outbox import change, expire_lease, put, set_up
from tests.support import other_process

Make = Callable[..., IssuedFlow]
URL = "http://127.0.0.1:9/hook"


def claim_all(at_once: int) -> list[Delivery]:
    """Claim until nothing is left that nobody holds, as another worker may be at the endpoint."""
    claimer, claimed = claim.Claimer(), []
    while True:
        claimed += claimer.claim(at_once)
        if not Delivery.objects.filter(
            state="pending", next_attempt_at__lte=timezone.now()
        ).exists():
            return claimed


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
            assert item.next_attempt_at == item.leased_until
            stored = change(item)
            for name in ("lease_token", "leased_until", "next_attempt_at", "attempts", "step"):
                assert getattr(stored, name) == getattr(item, name)
            assert stored.round_at == item.round_at
        assert [item.pk for item in claim.claim_due(9)] == [rows[0].pk]
        assert claim.claim_due(9) == []
        assert change(rows[2]).attempts == 0

    def test_what_is_claimed_is_loaded_whole(
        self, flow: Flow, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        """Threads that must not touch the database read it."""
        put(flow, subject="it", lane="one")
        (item,) = claim.claim_due(1)
        with django_assert_num_queries(0):
            assert not item.get_deferred_fields()
            assert (item.flow, item.endpoint.flow) == (flow, flow)
            assert (item.flow.contract.name, item.endpoint.schedule) == ("citcall", [])
        stored = change(item)
        for field in Delivery._meta.concrete_fields:
            if not isinstance(field, BinaryField):
                assert getattr(item, field.attname) == getattr(stored, field.attname)
        assert bytes(item.body) == bytes(stored.body)

    def test_delivered_and_failed_rows_are_left_alone(self, flow: Flow) -> None:
        change(put(flow), state="delivered", settled_at=timezone.now())
        change(put(flow), state="failed", settled_at=timezone.now())
        change(put(flow), state="cancelled", settled_at=timezone.now())
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
        assert second.round_at == first.round_at
        (lost,) = Attempt.objects.all()
        assert (lost.delivery_id, lost.number, lost.error) == (first.pk, 1, "worker_lost")
        assert first.leased_until is not None

    def test_a_lease_stands_and_falls_as_a_whole(self, flow: Flow) -> None:
        delivery = put(flow)
        for values in (
            {"leased_until": timezone.now()},
            {"lease_token": delivery.pk},
            {
                "lease_token": delivery.pk,
                "leased_until": timezone.now(),
                "state": "failed",
                "settled_at": timezone.now(),
            },
            {"state": "delivered"},
            {"settled_at": timezone.now()},
            {"next_attempt_at": None},
            {"lane": "a"},
            {"position": 1},
            {"state": "unknown"},
        ):
            with pytest.raises(IntegrityError), transaction.atomic():
                change(delivery, **values)


@pytest.mark.django_db(transaction=True)
class TestRaces:
    ROWS = 60

    @pytest.fixture(autouse=True)
    def _many_at_once(self, flow: Flow) -> None:
        set_up(flow, concurrency=256)

    def test_between_threads_each_delivery_has_one_holder(self, flow: Flow) -> None:
        for _ in range(self.ROWS):
            put(flow)
        threads = 6
        together = threading.Barrier(threads)

        def take(_: int) -> list[str]:
            try:
                together.wait()
                return [str(item.pk) for item in claim_all(3)]
            finally:
                connections.close_all()

        with ThreadPoolExecutor(threads) as pool:
            taken = Counter(pk for batch in pool.map(take, range(threads)) for pk in batch)
        self.everything_once(taken)

    def test_between_processes_each_delivery_has_one_holder(self, flow: Flow) -> None:
        for _ in range(self.ROWS):
            put(flow)
        code = """
print("ready", flush=True)
sys.stdin.readline()
from tests.callbacks.test_claim import claim_all
print(*(item.pk for item in claim_all(2)), sep="\\n")
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
                return len(claim_all(1))
            finally:
                connections.close_all()

        with ThreadPoolExecutor(6) as pool:
            assert sum(pool.map(take, range(6))) == 1
        assert change(delivery).attempts == 2
