"""Retrying and cancelling, one and many: what is done, what is left alone, and lanes in order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from callbacks import operations, settle
from callbacks.callback_channel import CallbackChannel
from callbacks.channels import Result
from callbacks.claim import claim_due
from callbacks.models import Delivery
from callbacks.operations import Selection, selection
from callbacks.settle import Finished
from tenants.actors import Actor, NotAllowedError
from tenants.lifecycle import IssuedFlow
from tenants.models import AuditEntry, Flow
from tests.callbacks.outbox import change, expire_lease, put, row, set_up

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]
DELIVERED = Result(status=200)
REFUSED = Result(error="gone", is_permanent=True)
WAITS = Result(error="http_404")
NOBODY = Actor("nobody", may=lambda permission: False)


@pytest.fixture
def flow(make_flow: Make) -> Flow:
    return make_flow("citcall", callback_url="http://127.0.0.1:9/hook").flow


def end(*deliveries: Delivery, result: Result) -> None:
    """Have each, in this order, claimed and settled."""
    for delivery in deliveries:
        (held,) = claim_due(1)
        assert held.pk == delivery.pk
        assert settle.record([Finished(held, result)])


def states(*deliveries: Delivery) -> list[str]:
    return [str(change(item).state) for item in deliveries]


def order(flow: Flow) -> list[int | None]:
    """Deliver everything of the one lane there is, one by one; return the places."""
    places = []
    while held := claim_due(9):
        assert len(held) == 1
        places.append(held[0].position)
        settle.record([Finished(held[0], DELIVERED)])
    assert not Delivery.objects.filter(flow=flow, state="pending").exists()
    return places


class TestCancel:
    def test_a_pending_one_never_goes(self, flow: Flow, actor: Actor) -> None:
        delivery, other = put(flow), put(flow)
        assert operations.cancel(actor, [delivery.pk], reason="not\nwanted") == 1
        after = change(delivery)
        assert (after.state, after.next_attempt_at) == ("cancelled", None)
        assert after.settled_at is not None
        assert [held.pk for held in claim_due(9)] == [other.pk]
        entry = AuditEntry.objects.get(verb="delivery.cancel")
        assert (entry.flow, entry.reason) == (flow, "not wanted")
        assert entry.before == {"state": "pending", "step": 0}
        assert entry.after == {"delivery": str(delivery.pk)}

    def test_one_under_way_and_those_settled_are_left_alone(self, flow: Flow, actor: Actor) -> None:
        held, arrived = put(flow), put(flow)
        end(held, result=DELIVERED)
        held, arrived = arrived, held
        claim_due(1)
        before = row(held), row(arrived)
        assert operations.cancel(actor, [held.pk, arrived.pk, uuid4()]) == 0
        assert (row(held), row(arrived)) == before
        assert not AuditEntry.objects.filter(verb="delivery.cancel").exists()

    def test_one_whose_worker_died_is_cancelled_and_a_late_result_dropped(
        self, flow: Flow, actor: Actor
    ) -> None:
        put(flow)
        (held,) = claim_due(1)
        expire_lease(held)
        assert operations.cancel(actor, [held.pk]) == 1
        assert settle.record([Finished(held, DELIVERED)]) == []
        assert states(held) == ["cancelled"]

    def test_its_channel_hears_of_it(
        self, flow: Flow, actor: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        heard = []
        monkeypatch.setattr(
            CallbackChannel,
            "settled",
            lambda _, row, result: heard.append((row.pk, str(row.state), result.error)),
        )
        delivery = put(flow)
        assert operations.cancel(actor, [delivery.pk]) == 1
        assert heard == [(delivery.pk, "cancelled", "cancelled")]

    def test_the_next_in_the_lane_moves_up(self, flow: Flow, actor: Actor) -> None:
        first, second, third = (put(flow, lane="a") for _ in range(3))
        assert operations.cancel(actor, [first.pk, second.pk]) == 2
        assert order(flow) == [3]
        assert states(first, second, third) == ["cancelled", "cancelled", "delivered"]

    def test_those_behind_one_under_way_wait_for_it(self, flow: Flow, actor: Actor) -> None:
        first, second, third = (put(flow, lane="a") for _ in range(3))
        (held,) = claim_due(9)
        assert operations.cancel(actor, [first.pk, second.pk]) == 1
        assert claim_due(9) == []
        settle.record([Finished(held, DELIVERED)])
        assert [item.pk for item in claim_due(9)] == [third.pk]

    def test_needs_the_permission(self, flow: Flow) -> None:
        delivery = put(flow)
        before = row(delivery)
        with pytest.raises(NotAllowedError):
            operations.cancel(NOBODY, [delivery.pk])
        with pytest.raises(NotAllowedError):
            operations.cancel_matching(NOBODY, Selection(flow=flow))
        assert row(delivery) == before


class TestRetryInLanes:
    def test_a_dead_letter_goes_before_what_came_after_it(self, flow: Flow, actor: Actor) -> None:
        rows = [put(flow, lane="a") for _ in range(3)]
        end(rows[0], result=REFUSED)
        assert operations.retry(actor, [rows[0].pk]) == 1
        assert order(flow) == [1, 2, 3]

    def test_but_waits_for_the_one_a_worker_is_at(self, flow: Flow, actor: Actor) -> None:
        rows = [put(flow, lane="a") for _ in range(3)]
        end(rows[0], result=REFUSED)
        (held,) = claim_due(9)
        assert held.pk == rows[1].pk
        assert operations.retry(actor, [rows[0].pk]) == 1
        assert claim_due(9) == []
        settle.record([Finished(held, WAITS)])  # not settled: it steps back
        assert order(flow) == [1, 2, 3]

    def test_several_at_once_keep_their_order(self, flow: Flow, actor: Actor) -> None:
        rows = [put(flow, lane="a") for _ in range(4)]
        end(*rows[:3], result=REFUSED)
        assert operations.retry(actor, [rows[2].pk, rows[0].pk, rows[1].pk]) == 3
        assert order(flow) == [1, 2, 3, 4]

    def test_one_that_waits_for_its_turn_goes_on_waiting(self, flow: Flow, actor: Actor) -> None:
        first, second = put(flow, lane="a"), put(flow, lane="a")
        assert operations.retry(actor, [second.pk]) == 1
        assert change(second).next_attempt_at is None
        assert [item.pk for item in claim_due(9)] == [first.pk]

    def test_a_head_that_waits_for_its_next_try_goes_now(self, flow: Flow, actor: Actor) -> None:
        first, _ = put(flow, lane="a"), put(flow, lane="a")
        end(first, result=WAITS)
        assert claim_due(9) == []
        assert operations.retry(actor, [first.pk]) == 1
        assert order(flow) == [1, 2]


class TestMatching:
    def test_what_matches_is_retried_piece_by_piece(
        self, flow: Flow, make_flow: Make, actor: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(selection, "PIECE", 2)
        dead = [put(flow) for _ in range(5)]
        end(*dead, result=REFUSED)
        url = "http://127.0.0.1:9/other"
        other = put(make_flow("isu", callback_url=url).flow)
        end(other, result=REFUSED)
        before = row(other)
        chosen = Selection(flow=flow, states=("failed",), event="call.ended")
        assert operations.retry_matching(actor, chosen, reason="mended") == 5
        assert states(*dead) == ["pending"] * 5
        assert row(other) == before
        entries = AuditEntry.objects.filter(verb="delivery.retry_many").order_by("pk")
        assert [entry.after for entry in entries] == [
            {"deliveries": 2},
            {"deliveries": 2},
            {"deliveries": 1},
        ]
        assert {entry.reason for entry in entries} == {"mended"}
        assert entries[0].before == {
            "flow": str(flow.pk),
            "event": "call.ended",
            "states": ["failed"],
        }

    @pytest.mark.parametrize("by", ["client", "endpoint", "event", "since", "until", "none"])
    def test_every_way_to_narrow(self, by: str, flow: Flow, actor: Actor) -> None:
        delivery = put(flow)
        now = timezone.now()
        hour = timedelta(hours=1)
        matching = {
            "client": Selection(client=flow.client),
            "endpoint": Selection(endpoint=set_up(flow)),
            "event": Selection(event="call.ended"),
            "since": Selection(since=now - hour),
            "until": Selection(until=now + hour),
            "none": Selection(states=("pending",)),
        }[by]
        passing = {
            "client": None,
            "endpoint": Selection(endpoint=set_up(flow, channel="whatsapp")),
            "event": Selection(event="call.begun"),
            "since": Selection(since=now + hour),
            "until": Selection(until=now - hour),
            "none": Selection(states=("failed", "delivered")),
        }[by]
        if passing:
            assert operations.cancel_matching(actor, passing) == 0
            assert states(delivery) == ["pending"]
        assert operations.cancel_matching(actor, matching) == 1
        assert states(delivery) == ["cancelled"]
