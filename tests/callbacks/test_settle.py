"""What is written of an attempt, by the holder of the lease alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from callbacks import settle
from callbacks.attempt import Call, worker_name
from callbacks.channels import Result
from callbacks.claim import claim_due
from callbacks.models import Attempt, Delivery
from callbacks.settle import Finished
from callbacks.timings import Timings
from tenants import at_rest
from tenants.lifecycle import IssuedFlow
from tenants.models import Flow
from tests.callbacks.outbox import change, expire_lease, make_due, put, row, set_up

Make = Callable[..., IssuedFlow]
pytestmark = pytest.mark.django_db
OUTAGE = Result(status=503, error="http_503", is_outage=True)


@pytest.fixture
def flow(make_flow: Make) -> Flow:
    return make_flow("citcall", callback_url="http://127.0.0.1:9/hook").flow


def record(delivery: Delivery, result: Result, call: Call | None = None) -> bool:
    return bool(settle.record([Finished(delivery, result, call)]))


def test_success_ends_it(flow: Flow) -> None:
    delivery = put(flow)
    (held,) = claim_due(1)
    assert record(held, Result(status=202))
    after = change(delivery)
    assert (after.state, after.last_status, after.last_error) == ("delivered", 202, "")
    assert (after.lease_token, after.leased_until, after.next_attempt_at) == (None, None, None)
    assert after.settled_at is not None
    assert claim_due(1) == []


def test_a_failure_waits_for_its_next_turn(flow: Flow) -> None:
    delivery = put(flow)
    (held,) = claim_due(1)
    before = timezone.now()
    assert record(held, Result(status=500, error="http_500"))
    after = change(delivery)
    assert (after.state, after.last_status, after.last_error) == ("pending", 500, "http_500")
    assert (after.lease_token, after.attempts, after.settled_at) == (None, 1, None)
    assert after.next_attempt_at is not None
    waits = after.next_attempt_at - before
    assert timedelta(seconds=1) <= waits <= timedelta(seconds=6.5)
    assert claim_due(1) == []


def test_a_permanent_failure_ends_it_at_once(flow: Flow) -> None:
    delivery = put(flow)
    (held,) = claim_due(1)
    assert record(held, Result(error="refused_address", is_permanent=True))
    after = change(delivery)
    assert (after.state, after.next_attempt_at) == ("failed", None)
    assert after.settled_at is not None


@pytest.mark.parametrize(("schedule", "most"), [([], 13), ([5, 60], 3), ([1], 2)])
def test_the_last_failure_ends_it(flow: Flow, schedule: list[int], most: int) -> None:
    set_up(flow, schedule=schedule)
    delivery = put(flow)
    states = []
    for _ in range(most):
        make_due(delivery)
        (held,) = claim_due(1)
        record(held, Result(status=404, error="http_404"))
        states.append(change(delivery).state)
    assert states == ["pending"] * (most - 1) + ["failed"]
    assert change(delivery).attempts == most
    assert list(Attempt.objects.values_list("number", flat=True)) == list(range(1, most + 1))
    assert claim_due(1) == []


def test_the_receiver_can_lengthen_the_wait_and_not_shorten_it(flow: Flow) -> None:
    for rest, least in ((timedelta(seconds=1), 1), (timedelta(hours=3), 10_800)):
        delivery = put(flow)
        set_up(flow, ready_at=timezone.now())
        (held,) = claim_due(1)
        before = timezone.now()
        record(held, Result(status=429, error="http_429", rest=rest))
        after = change(delivery)
        assert after.next_attempt_at is not None
        waits = (after.next_attempt_at - before).total_seconds()
        assert least <= waits < least + 6
        change(delivery, state="cancelled", settled_at=before)


@pytest.mark.parametrize("late", [Result(status=200), Result(error="timeout")])
def test_a_late_result_is_dropped(
    late: Result, flow: Flow, caplog: pytest.LogCaptureFixture
) -> None:
    delivery = put(flow)
    (first,) = claim_due(1)
    expire_lease(delivery)
    (second,) = claim_due(1)
    before = row(delivery), list(Attempt.objects.values())
    assert not record(first, late)
    assert (row(delivery), list(Attempt.objects.values())) == before
    assert f"The lease on delivery {delivery.pk} ran out" in caplog.text
    assert record(second, Result(status=200))
    delivered = row(delivery)
    assert not record(first, late)
    assert not record(second, Result(error="timeout"))
    assert row(delivery) == delivered


def test_a_late_result_that_nobody_overtook_counts(flow: Flow) -> None:
    delivery = put(flow)
    (held,) = claim_due(1)
    expire_lease(delivery)
    assert record(held, Result(status=200))
    assert change(delivery).state == "delivered"


def test_results_of_many_are_written_together(
    flow: Flow, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    rows = [put(flow) for _ in range(8)]
    held = claim_due(8)
    finished = [Finished(item, Result(status=200)) for item in held]
    finished[3] = Finished(held[3], OUTAGE)
    with django_assert_max_num_queries(9):
        assert len(settle.record(finished)) == 8
    states = [change(item).state for item in rows]
    assert sorted(states) == ["delivered"] * 7 + ["pending"]
    assert Attempt.objects.filter(error="").count() == 7


def test_the_attempt_says_when_where_the_time_went_and_who(flow: Flow) -> None:
    put(flow)
    (held,) = claim_due(1)
    at = timezone.now() - timedelta(seconds=2)
    times = Timings(dns=1.5, connect=2.5, tls=3.5, first_byte=4.5, rest=0.5, total=12.5)
    record(held, OUTAGE, Call(at, times, b'{"said": "no"}'))
    attempt = Attempt.objects.get()
    assert (attempt.delivery_id, attempt.endpoint_id) == (held.pk, held.endpoint_id)
    assert (attempt.number, attempt.started_at, attempt.worker) == (1, at, worker_name())
    assert (attempt.status, attempt.error) == (503, "http_503")
    phases = ("dns_ms", "connect_ms", "tls_ms", "first_byte_ms", "rest_ms", "total_ms")
    assert [getattr(attempt, name) for name in phases] == [1.5, 2.5, 3.5, 4.5, 0.5, 12.5]
    assert b"said" not in bytes(attempt.answer)
    assert at_rest.open_sealed(attempt.answer, attempt.at_rest_context) == b'{"said": "no"}'


def test_what_was_never_sent_leaves_an_attempt_without_phases(flow: Flow) -> None:
    put(flow)
    (held,) = claim_due(1)
    record(held, Result(error="no_usable_key"))
    attempt = Attempt.objects.get()
    assert (attempt.error, attempt.status, attempt.total_ms) == ("no_usable_key", None, None)
    assert bytes(attempt.answer) == b""
