"""A replay of a range: uncapped, in order, behind what is fresh, and nothing twice when killed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from callbacks import operations, replaying, settle, sweeper, tasks
from callbacks.channels import Result
from callbacks.claim import claim_due
from callbacks.models import Delivery, Replay, Urgency
from callbacks.operations import Selection, again
from callbacks.settle import Finished
from config.celery import app
from tenants.actors import Actor, NotAllowedError
from tenants.lifecycle import IssuedFlow, LifecycleError
from tenants.models import AuditEntry, Flow
from tests.callbacks.outbox import change, put, row, set_up

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]
HOUR = timedelta(hours=1)


@pytest.fixture
def flow(make_flow: Make) -> Flow:
    return make_flow("citcall", callback_url="http://127.0.0.1:9/hook").flow


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "PIECE", 2)


def settled(flow: Flow, count: int, state: str = "delivered", **details: Any) -> list[Delivery]:
    """Return deliveries of an hour ago that ended in ``state``."""
    made = []
    for number in range(count):
        delivery = put(flow, **details)
        at = timezone.now() - HOUR + timedelta(seconds=number)
        made.append(
            change(
                delivery,
                state=state,
                created_at=at,
                settled_at=at,
                next_attempt_at=None,
                attempts=1,
                step=1,
                round_at=at,
            )
        )
    return made


def start(actor: Actor, *states: str, **narrowed: Any) -> Replay:
    now = timezone.now()
    chosen = Selection(
        states=states or ("delivered", "failed"),
        **{"since": now - 2 * HOUR, "until": now, **narrowed},
    )
    return operations.start_replay(actor, chosen, reason="they lost it")


def figures(replay: Replay) -> tuple[str, int | None, int, int]:
    replay.refresh_from_db()
    return replay.state, replay.total, replay.seen, replay.queued


def test_what_matches_is_sent_again_and_nothing_else(
    flow: Flow, make_flow: Make, actor: Actor
) -> None:
    url = "http://127.0.0.1:9/other"
    dead, arrived = settled(flow, 3, "failed"), settled(flow, 2)
    spared = [
        *settled(flow, 1, "cancelled"),
        *settled(make_flow("isu", callback_url=url).flow, 1, "failed"),
    ]
    late = put(flow)
    before = [row(item) for item in (*spared, late)]
    replay = start(actor, flow=flow)
    assert replaying.go_on()
    assert figures(replay) == ("done", 7, 7, 5)
    assert replay.ended_at is not None
    for delivery in (*dead, *arrived):
        after = change(delivery)
        assert (after.state, after.urgency, after.replay) == ("pending", Urgency.REPLAY, replay)
        assert (after.step, after.round_at, after.settled_at, after.attempts) == (0, None, None, 1)
    assert [row(item) for item in (*spared, late)] == before
    entry = AuditEntry.objects.get(verb="replay.start")
    assert (entry.flow, entry.reason) == (flow, "they lost it")
    assert entry.after["replay"] == str(replay.pk)


def test_the_range_begins_with_its_first_moment_and_ends_before_its_last(
    flow: Flow, actor: Actor
) -> None:
    rows = settled(flow, 4)
    replay = start(actor, since=rows[1].created_at, until=rows[3].created_at, event="call.ended")
    replaying.go_on()
    assert figures(replay) == ("done", 2, 2, 2)
    assert [change(item).state for item in rows] == [
        "delivered",
        "pending",
        "pending",
        "delivered",
    ]


def test_another_event_is_looked_at_and_left(flow: Flow, actor: Actor) -> None:
    (delivery,) = settled(flow, 1)
    before = row(delivery)
    replay = start(actor, event="call.begun")
    replaying.go_on()
    assert figures(replay) == ("done", 1, 1, 0)
    assert row(delivery) == before


def test_fresh_ones_go_first(flow: Flow, actor: Actor) -> None:
    set_up(flow, concurrency=1)
    (old,) = settled(flow, 1)
    start(actor)
    replaying.go_on()
    fresh = put(flow)
    went = []
    while held := claim_due(1):
        went.append(held[0].pk)
        settle.record([Finished(held[0], Result(status=200))])
    assert went == [fresh.pk, old.pk]


def test_in_a_lane_a_replay_keeps_its_order_behind_what_is_fresh(flow: Flow, actor: Actor) -> None:
    settled(flow, 3, lane="a")
    start(actor)
    replaying.go_on()
    (held,) = claim_due(9)
    fresh = [put(flow, lane="a") for _ in range(2)]
    assert claim_due(9) == []  # one at a time
    settle.record([Finished(held, Result(error="http_404"))])
    places = [held.position]
    while held_now := claim_due(9):
        (each,) = held_now
        places.append(each.position)
        settle.record([Finished(each, Result(status=200))])
    assert places == [1, fresh[0].position, fresh[1].position, 1, 2, 3]


def test_what_is_fresh_waits_for_the_worker_not_for_the_place(flow: Flow) -> None:
    """One before the head came back to the lane while a worker is at the head."""
    before, head = settled(flow, 2, lane="a")
    again_pending = {"state": "pending", "settled_at": None, "urgency": Urgency.REPLAY}
    change(head, **again_pending, next_attempt_at=timezone.now())
    (held,) = claim_due(9)
    assert held.pk == head.pk
    change(before, **again_pending)
    fresh = put(flow, lane="a")
    assert (fresh.next_attempt_at, claim_due(9)) == (None, [])
    settle.record([Finished(held, Result(status=200))])
    (next_one,) = claim_due(9)
    assert next_one.pk == fresh.pk


def test_a_piece_that_fails_leaves_nothing_and_is_done_again(
    flow: Flow, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = settled(flow, 5)
    replay = start(actor)
    assert replaying.do_piece(replay.pk)
    assert figures(replay) == ("running", 5, 2, 2)
    # What was sent again arrives meanwhile: it must not be sent a third time.
    held = claim_due(9)
    settle.record([Finished(item, Result(status=200)) for item in held])
    before = [row(item) for item in rows]
    real = again.send_again

    def die(*given: Any, **more: Any) -> None:
        real(*given, **more)
        raise KeyboardInterrupt  # as a worker that is told to stop at once

    monkeypatch.setattr(again, "send_again", die)
    with pytest.raises(KeyboardInterrupt):
        replaying.do_piece(replay.pk)
    assert [row(item) for item in rows] == before
    assert figures(replay) == ("running", 5, 2, 2)
    monkeypatch.setattr(again, "send_again", real)
    assert replaying.go_on()
    assert figures(replay) == ("done", 5, 5, 5)
    assert [change(item).state for item in rows] == ["delivered"] * 2 + ["pending"] * 3
    replaying.go_on()
    assert not replaying.do_piece(replay.pk)
    assert figures(replay) == ("done", 5, 5, 5)


def test_one_that_fails_does_not_stop_the_others(
    flow: Flow, make_flow: Make, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled(flow, 1)
    url = "http://127.0.0.1:9/other"
    other = make_flow("isu", callback_url=url).flow
    settled(other, 3)
    bad, good = start(actor, flow=flow), start(actor, flow=other)
    real = replaying.do_piece
    monkeypatch.setattr(replaying, "do_piece", lambda pk: 1 / 0 if pk == bad.pk else real(pk))
    assert not replaying.go_on()
    assert figures(good) == ("done", 3, 3, 3)
    assert figures(bad)[0] == "running"


def test_cancelled_it_stops_where_it_is(flow: Flow, actor: Actor) -> None:
    rows = settled(flow, 5)
    replay = start(actor)
    replaying.do_piece(replay.pk)
    ended = operations.cancel_replay(actor, replay.pk, reason="wrong flow")
    assert ended.ended_at is not None
    replaying.go_on()
    assert figures(replay) == ("cancelled", 5, 2, 2)
    assert [change(item).state for item in rows] == ["pending"] * 2 + ["delivered"] * 3
    entry = AuditEntry.objects.get(verb="replay.cancel")
    assert entry.after == {"replay": str(replay.pk), "seen": 2, "queued": 2}
    with pytest.raises(LifecycleError, match="cancelled already"):
        operations.cancel_replay(actor, replay.pk)


def test_a_worker_that_only_sweeps_finds_it(flow: Flow, actor: Actor) -> None:
    """Every ring was lost, and whoever began it is dead: another goes on from there."""
    settled(flow, 3)
    replay = start(actor)
    replaying.do_piece(replay.pk)
    tasks.go_on_with_replays()
    assert figures(replay) == ("done", 3, 3, 3)


def test_the_sweeper_goes_on_with_replays(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(tasks, "go_on_with_replays", lambda: done.append("replays"))
    monkeypatch.setattr(tasks, "deliver_due", lambda: done.append("deliveries"))
    monkeypatch.setattr("django.db.connections.close_all", lambda: None)
    monkeypatch.setattr(sweeper, "_duties", [])
    sweeper.sweep()
    assert done == ["deliveries", "replays", "deliveries"]


def test_the_sweeper_does_what_else_it_was_told_of_whatever_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []
    monkeypatch.setattr(tasks, "go_on_with_replays", lambda: done.append("replays"))
    monkeypatch.setattr(tasks, "deliver_due", lambda: done.append("deliveries"))
    monkeypatch.setattr("django.db.connections.close_all", lambda: None)
    monkeypatch.setattr(sweeper, "_duties", [])

    @sweeper.duty
    def breaks() -> None:
        done.append("breaks")
        raise ZeroDivisionError

    @sweeper.duty
    def works() -> None:
        done.append("works")

    sweeper.sweep()
    assert done == ["deliveries", "breaks", "works", "replays", "deliveries"]
    assert caplog.messages == ["The look for due work (breaks) failed: ZeroDivisionError"]


def test_the_sweeper_knows_of_timers_and_updates() -> None:
    """Both were acknowledged: neither may wait for a broker."""
    app.loader.import_default_modules()  # as a worker does
    names = {getattr(look, "name", "") for look in sweeper._duties}
    assert names == {
        "flows_endpoint.tasks.run_due_timers",
        "flows_endpoint.whatsapp_flows.tasks.process_updates",
    }


def test_a_turn_that_is_over_leaves_the_rest(flow: Flow, actor: Actor) -> None:
    settled(flow, 3)
    replay = start(actor)
    assert not replaying.go_on(seconds=0)
    assert figures(replay)[0] == "running"


@pytest.mark.parametrize(
    ("states", "narrowed", "said"),
    [
        (("pending",), {}, "Say which"),
        (("failed", "pending"), {}, "Say which"),
        (("failed",), {"since": None}, "needs the time"),
        (("failed",), {"until": None}, "needs the time"),
        (("failed",), {"since": timezone.now() + HOUR}, "in the past"),
    ],
)
def test_what_is_no_range_is_refused(
    states: tuple[str, ...], narrowed: dict[str, Any], said: str, actor: Actor, db: None
) -> None:
    with pytest.raises(LifecycleError, match=said):
        start(actor, *states, **narrowed)
    assert not Replay.objects.exists()


def test_both_verbs_need_the_permission(flow: Flow, actor: Actor) -> None:
    nobody = Actor("nobody", may=lambda permission: permission != "callbacks.retry_delivery")
    with pytest.raises(NotAllowedError):
        start(nobody)
    replay = start(actor)
    with pytest.raises(NotAllowedError):
        operations.cancel_replay(nobody, replay.pk)
    assert Replay.objects.get().state == "running"
