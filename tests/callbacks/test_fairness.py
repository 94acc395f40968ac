"""Endpoints take turns; each keeps to its own limits; none that stands still costs the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from callbacks import ready, settle
from callbacks.channels import Result
from callbacks.claim import LEASE, Claimer, claim_due
from callbacks.models import Delivery
from callbacks.settle import Finished
from tenants.lifecycle import IssuedFlow
from tenants.models import Flow
from tests.callbacks.calls import called
from tests.callbacks.outbox import change, put, set_up

Make = Callable[..., IssuedFlow]
pytestmark = pytest.mark.django_db
OUTAGE = Result(error="timeout", is_outage=True)


@pytest.fixture
def flows(make_flow: Make) -> list[Flow]:
    return [make_flow("citcall", callback_url="http://127.0.0.1:9/").flow for _ in range(4)]


def of_flows(claimed: list[Delivery], flows: list[Flow]) -> list[int]:
    counts = Counter(item.flow_id for item in claimed)
    return [counts[flow.pk] for flow in flows]


class TestTurns:
    def test_a_claim_is_shared_evenly(self, flows: list[Flow]) -> None:
        for flow, count in zip(flows, (20, 20, 1, 20), strict=True):
            for _ in range(count):
                put(flow)
        assert of_flows(claim_due(12), flows) == [3, 3, 1, 3]

    def test_the_turn_goes_on_where_it_was(self, flows: list[Flow]) -> None:
        for flow in flows:
            for _ in range(3):
                put(flow)
        claimer = Claimer()
        first = of_flows(claimer.claim(3), flows)
        second = of_flows(claimer.claim(3), flows)
        assert sum(first) == sum(second) == 3
        assert sorted(one + two for one, two in zip(first, second, strict=True)) == [1, 1, 2, 2]

    def test_an_older_backlog_does_not_come_first(self, flows: list[Flow]) -> None:
        for flow in flows[:3]:
            for _ in range(20):
                change(put(flow), next_attempt_at=timezone.now() - timedelta(hours=1))
        fresh = put(flows[3])
        assert fresh.pk in {item.pk for item in claim_due(4)}

    def test_the_callers_room_is_kept(self, flows: list[Flow]) -> None:
        for flow in flows:
            for _ in range(5):
                put(flow)
        rooms = {set_up(flow).pk: room for flow, room in zip(flows, (0, 1, 2, 9), strict=True)}
        assert of_flows(claim_due(99, rooms.__getitem__), flows) == [0, 1, 2, 5]

    @pytest.mark.parametrize("state", ["paused", "disabled"])
    def test_what_is_stopped_waits_and_costs_no_try(self, flows: list[Flow], state: str) -> None:
        stopped, other = put(flows[0]), put(flows[1])
        set_up(flows[0], state=state)
        assert [item.pk for item in claim_due(9)] == [other.pk]
        assert change(stopped).attempts == 0
        set_up(flows[0], state="active")
        assert [item.pk for item in claim_due(9)] == [stopped.pk]

    def test_a_replay_goes_when_nothing_fresh_is_due(self, flows: list[Flow]) -> None:
        bulk = [change(put(flows[0]), urgency=1) for _ in range(3)]
        fresh = [put(flows[0]) for _ in range(2)]
        assert [item.pk for item in claim_due(2)] == [item.pk for item in fresh]
        assert [item.pk for item in claim_due(2)] == [item.pk for item in bulk[:2]]


class TestLimits:
    def test_calls_at_once_hold_over_all_workers(self, flows: list[Flow]) -> None:
        set_up(flows[0], concurrency=3)
        for _ in range(5):
            put(flows[0])
        held = claim_due(2) + claim_due(2)
        assert len(held) == 3
        settle.record([Finished(held[0], Result(status=200))])
        assert len(claim_due(2)) == 1

    def test_a_lease_that_ran_out_counts_no_more(self, flows: list[Flow]) -> None:
        set_up(flows[0], concurrency=1)
        put(flows[0])
        put(flows[0])
        (held,) = claim_due(2)
        over = timezone.now() - timedelta(seconds=1)
        change(held, leased_until=over, next_attempt_at=timezone.now() + timedelta(hours=1))
        assert len(claim_due(2)) == 1

    def test_the_rate_limit_holds_over_all_workers(self, flows: list[Flow]) -> None:
        set_up(flows[0], rate_per_second=0.5, burst=3)
        for _ in range(6):
            put(flows[0])
        assert [len(claim_due(2)), len(claim_due(2)), len(claim_due(2))] == [2, 1, 0]
        endpoint = set_up(flows[0])
        assert timedelta(0) < endpoint.ready_at - timezone.now() <= timedelta(seconds=2)
        assert endpoint.tokens_at is not None
        ago = timedelta(seconds=4)
        set_up(flows[0], tokens_at=endpoint.tokens_at - ago, ready_at=endpoint.ready_at - ago)
        assert [len(claim_due(9)), len(claim_due(9))] == [2, 0]

    def test_retry_after_holds_the_whole_endpoint(self, flows: list[Flow]) -> None:
        put(flows[0])
        put(flows[0])
        (held,) = claim_due(1)
        before = timezone.now()
        settle.record([called(held, Result(status=429, error="x", rest=timedelta(minutes=9)))])
        assert set_up(flows[0]).ready_at >= before + timedelta(minutes=9)
        assert claim_due(9) == []


class TestBreaker:
    def outages(self, flow: Flow, count: int) -> None:
        for _ in range(count):
            set_up(flow, ready_at=timezone.now())
            put(flow)
            (held,) = claim_due(1, lambda pk: int(pk == set_up(flow).pk))
            settle.record([called(held, OUTAGE)])
            # However slow this machine: their next tries are not what is tested.
            change(held, next_attempt_at=timezone.now() + timedelta(days=1))

    def test_open_lets_nothing_through_and_half_open_one(self, flows: list[Flow]) -> None:
        self.outages(flows[0], 10)
        opened = set_up(flows[0])
        assert (opened.breaker, opened.failures, opened.times_opened) == ("open", 10, 1)
        assert timedelta(seconds=20) < opened.ready_at - timezone.now() <= timedelta(seconds=30)
        for _ in range(5):
            put(flows[0])
        other = put(flows[1])
        assert [item.pk for item in claim_due(9)] == [other.pk]
        set_up(flows[0], ready_at=timezone.now())
        (probe,) = claim_due(9)
        probing = set_up(flows[0])
        assert probing.breaker == "half_open"
        # If the worker dies, the next may probe when its lease is over.
        assert LEASE - timedelta(seconds=5) < probing.ready_at - timezone.now() <= LEASE
        assert claim_due(9) == []
        settle.record([called(probe, Result(status=200))])
        closed = set_up(flows[0])
        assert (closed.breaker, closed.failures, closed.opened_at) == ("closed", 0, None)
        assert len(claim_due(9)) == 4

    def test_a_probe_that_fails_opens_it_for_twice_as_long(self, flows: list[Flow]) -> None:
        self.outages(flows[0], 10)
        put(flows[0])
        set_up(flows[0], ready_at=timezone.now())
        (probe,) = claim_due(9)
        settle.record([called(probe, OUTAGE)])
        opened = set_up(flows[0])
        assert (opened.breaker, opened.times_opened) == ("open", 2)
        assert timedelta(seconds=50) < opened.ready_at - timezone.now() <= timedelta(seconds=60)

    def test_a_probe_that_never_left_lets_another_probe(self, flows: list[Flow]) -> None:
        self.outages(flows[0], 10)
        put(flows[0])
        put(flows[0])
        set_up(flows[0], ready_at=timezone.now())
        (probe,) = claim_due(9)
        settle.record([Finished(probe, Result(error="no_usable_key"))])
        assert set_up(flows[0]).breaker == "half_open"
        assert len(claim_due(9)) == 1

    def test_from_the_third_outage_calls_go_one_at_a_time(self, flows: list[Flow]) -> None:
        self.outages(flows[0], 3)
        for _ in range(4):
            put(flows[0])
        assert len(claim_due(9)) == 1


class TestWaiting:
    def test_each_endpoint_says_when_its_next_is_due(self, flows: list[Flow]) -> None:
        now = timezone.now()

        def at(seconds: int) -> datetime:
            return now + timedelta(seconds=seconds)

        for seconds in (40, 20, 30):
            change(put(flows[0]), next_attempt_at=at(seconds))
        change(put(flows[1]), next_attempt_at=at(50), urgency=1)
        change(put(flows[1]), next_attempt_at=at(60))
        set_up(flows[1], ready_at=at(55))
        change(put(flows[2]), state="delivered", settled_at=now)
        put(flows[3])
        set_up(flows[3], state="paused")
        first, second = ready.waiting()
        assert first.endpoint_id == set_up(flows[0]).pk
        assert (first.fresh_at, first.replay_at, first.at) == (at(20), None, at(20))
        assert second.endpoint_id == set_up(flows[1]).pk
        assert (second.fresh_at, second.replay_at, second.at) == (at(60), at(50), at(55))
        claimer = Claimer()
        assert claimer.next_at() is None
        assert claimer.claim(9) == []
        assert claimer.next_at() == at(20)

    def test_nothing_pending_is_nothing_waiting(self, flows: list[Flow]) -> None:
        assert ready.waiting() == []
        assert claim_due(9) == []


def test_who_waits_is_asked_of_the_index_alone(flows: list[Flow]) -> None:
    """SQLite makes an index for one statement where it finds no better way: a read of all rows."""
    if connection.vendor != "sqlite":
        pytest.skip("the plans of PostgreSQL follow from how many rows there are")
    first = put(flows[0])
    rows = {"flow": first.flow, "endpoint": first.endpoint, "event": "e", "body": b"sealed"}
    Delivery.objects.bulk_create(
        [Delivery(**rows, next_attempt_at=timezone.now()) for _ in range(2000)]
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute(f"EXPLAIN QUERY PLAN {ready._WAITING.text}")
        steps = [step for *_, step in cursor.fetchall() if "callbacks_delivery" in step]
    assert len(steps) == 4
    assert [step for step in steps if "INDEX delivery_claimable" not in step] == []
