"""What is over is forgotten in time, and what somebody still needs is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from callbacks import operations, replaying, retention, tasks
from callbacks.models import Attempt, Delivery, Replay
from callbacks.operations import Selection
from tenants.actors import Actor
from tenants.lifecycle import IssuedFlow
from tenants.models import Flow
from tests.callbacks.outbox import change, put

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]
DAY = timedelta(days=1)


@pytest.fixture
def flow(make_flow: Make, settings: Any) -> Flow:
    settings.DELIVERY_DAYS = 30
    return make_flow("citcall", callback_url="http://127.0.0.1:9/hook").flow


def of_age(flow: Flow, days: int, state: str = "delivered", **details: Any) -> Delivery:
    at = timezone.now() - days * DAY
    delivery = put(flow)
    Attempt.objects.create(
        delivery=delivery, endpoint=delivery.endpoint, number=1, started_at=at, status=200
    )
    if state != "pending":
        details = {"state": state, "settled_at": at, "next_attempt_at": None, **details}
    return change(delivery, created_at=at, **details)


def left() -> set[Any]:
    return set(Delivery.objects.values_list("pk", flat=True))


@pytest.mark.parametrize("state", ["delivered", "failed", "cancelled"])
def test_what_was_settled_too_long_ago_goes_with_its_attempts(flow: Flow, state: str) -> None:
    of_age(flow, 31, state)
    young = of_age(flow, 29, state)
    assert retention.forget_old() == 1
    assert left() == {young.pk}
    assert list(Attempt.objects.values_list("delivery", flat=True)) == [young.pk]
    assert retention.forget_old() == 0


def test_it_goes_by_when_it_was_settled_and_never_while_it_is_pending(flow: Flow) -> None:
    waiting = of_age(flow, 400, "pending")
    lately = of_age(flow, 400, settled_at=timezone.now() - DAY)
    tasks.forget_old_deliveries()
    assert left() == {waiting.pk, lately.pk}


def test_in_batches(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_AT_ONCE", 2)
    for _ in range(5):
        of_age(flow, 31)
    assert retention.forget_old() == 5
    assert left() == set()


def test_what_a_running_replay_has_yet_to_look_at_stays(
    flow: Flow, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replaying, "PIECE", 1)
    now = timezone.now()
    outside, first, second = of_age(flow, 60), of_age(flow, 50), of_age(flow, 40)
    replay = operations.start_replay(
        actor,
        Selection(since=now - 55 * DAY, until=now - 35 * DAY, states=("failed",)),
    )
    assert retention.forget_old() == 1
    assert left() == {first.pk, second.pk}
    assert outside.pk not in left()
    replaying.do_piece(replay.pk)
    replaying.do_piece(replay.pk)
    # Looked at and not wanted: the first may go, the second is where the replay stands.
    assert retention.forget_old() == 1
    assert left() == {second.pk}
    replaying.go_on()
    assert retention.forget_old() == 1
    assert left() == set()


def test_a_replay_goes_when_it_is_over_and_none_of_its_deliveries_is_left(flow: Flow) -> None:
    now = timezone.now()

    def ended(state: str, days: int) -> Replay:
        over = None if state == "running" else now - days * DAY
        return Replay.objects.create(
            since=now - 80 * DAY,
            until=now - 79 * DAY,
            states=["failed"],
            requested_by="tester",
            state=state,
            ended_at=over,
        )

    gone, kept, young, running = (
        ended("done", 31),
        ended("cancelled", 31),
        ended("done", 29),
        ended("running", 31),
    )
    of_age(flow, 5, replay=kept)
    assert retention.forget_old() == 1
    rows = Replay.objects.all()
    assert {row.pk for row in rows} == {kept.pk, young.pk, running.pk}
    assert gone.pk not in {row.pk for row in rows}
