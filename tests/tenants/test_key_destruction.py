"""Material is erased after a waiting time that can be cancelled, and by nobody else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tenants import at_rest, lifecycle, tasks
from tenants.actors import Actor
from tenants.lifecycle import IssuedFlow, LifecycleError, destruction
from tenants.lifecycle.base import lock_flow
from tenants.models import AuditEntry, Flow, Key, KeyringEpoch
from tests.support.at_once import at_once

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]
DAY = timedelta(days=1)


@pytest.fixture
def flow(make_flow: Make) -> Flow:
    return make_flow("citcall").flow


@pytest.fixture
def key(flow: Flow, actor: Actor) -> Key:
    """An API key that was revoked."""
    return lifecycle.revoke_key(actor, flow.keys.get(purpose="api_key"), reason="leaked")


def everything() -> tuple[Any, ...]:
    return (
        list(Key.objects.values().order_by("pk")),
        AuditEntry.objects.count(),
        KeyringEpoch.objects.get().value,
    )


def readable(key: Key) -> bool:
    stored = Key.objects.get(pk=key.pk)
    return bool(stored.material) and bool(
        at_rest.open_sealed(stored.material, stored.at_rest_context)
    )


def test_it_is_announced_waited_for_and_done(key: Key, actor: Actor) -> None:
    scheduled = lifecycle.schedule_destruction(actor, key, days=7, reason=" not needed ")
    at = scheduled.destroy_at
    assert at is not None
    assert abs(at - timezone.now() - 7 * DAY) < timedelta(minutes=1)
    entry = AuditEntry.objects.latest("pk")
    assert (entry.verb, entry.actor, entry.reason) == (
        "key.schedule_destruction",
        "tester",
        "not needed",
    )
    assert (entry.before["destroy_at"], entry.after["destroy_at"]) == (None, at.isoformat())
    before = everything()
    assert lifecycle.destroy_due_keys(at - timedelta(microseconds=1)) == 0
    assert everything() == before
    assert readable(key)
    assert lifecycle.destroy_due_keys(at) == 1
    stored = Key.objects.get(pk=key.pk)
    assert (stored.state, bytes(stored.material), stored.lookup_digest, stored.destroy_at) == (
        "destroyed",
        b"",
        "",
        None,
    )
    assert (stored.fingerprint, stored.end_reason) == (key.fingerprint, "leaked")
    entry = AuditEntry.objects.latest("pk")
    assert (entry.verb, entry.actor) == ("key.destroy", "sealgate")
    assert entry.reason == "Scheduled by tester: not needed"
    assert (entry.before["state"], entry.after["state"]) == ("revoked", "destroyed")
    assert KeyringEpoch.objects.get().value == before[2] + 1
    after = everything()
    assert lifecycle.destroy_due_keys(at + 99 * DAY) == 0
    assert everything() == after


def test_the_task_destroys_what_is_due_now(key: Key, actor: Actor) -> None:
    lifecycle.schedule_destruction(actor, key, days=7, reason="x")
    assert tasks.destroy_due_keys() == 0
    Key.objects.filter(pk=key.pk).update(destroy_at=timezone.now())
    assert tasks.destroy_due_keys() == 1
    assert not readable(key)


@pytest.mark.parametrize("days", [-1, 0, 6, 31, 10**9])
def test_a_waiting_time_out_of_range(key: Key, actor: Actor, days: int) -> None:
    before = everything()
    with pytest.raises(LifecycleError, match="waits 7 to 30 days"):
        lifecycle.schedule_destruction(actor, key, days=days, reason="x")
    assert everything() == before


@pytest.mark.parametrize("reason", ["", " ", "\n"])
def test_it_needs_a_reason(key: Key, actor: Actor, reason: str) -> None:
    before = everything()
    with pytest.raises(LifecycleError, match="needs a reason"):
        lifecycle.schedule_destruction(actor, key, days=7, reason=reason)
    assert everything() == before


def test_repeated_it_changes_nothing_and_another_day_counts(key: Key, actor: Actor) -> None:
    first = lifecycle.schedule_destruction(actor, key, days=30, reason="x")
    before = everything()
    again = lifecycle.schedule_destruction(actor, key, days=30, reason="x")
    assert again.destroy_at == first.destroy_at
    assert everything() == before
    other = Actor(name="somebody else")
    sooner = lifecycle.schedule_destruction(other, key, days=10, reason="sooner")
    assert sooner.destroy_at is not None
    assert first.destroy_at is not None
    assert timedelta(days=19, hours=23) < first.destroy_at - sooner.destroy_at <= 20 * DAY
    assert lifecycle.destroy_due_keys(sooner.destroy_at) == 1
    assert AuditEntry.objects.latest("pk").reason == "Scheduled by somebody else: sooner"


def test_cancelled_it_is_never_destroyed(key: Key, actor: Actor) -> None:
    lifecycle.schedule_destruction(actor, key, days=7, reason="x")
    kept = lifecycle.cancel_destruction(actor, key, reason="evidence")
    assert kept.destroy_at is None
    entry = AuditEntry.objects.latest("pk")
    assert (entry.verb, entry.reason) == ("key.cancel_destruction", "evidence")
    before = everything()
    lifecycle.cancel_destruction(actor, key)
    assert lifecycle.destroy_due_keys(timezone.now() + 999 * DAY) == 0
    assert everything() == before
    assert readable(key)


def test_a_retired_version_that_waits_can_still_be_revoked(flow: Flow, actor: Actor) -> None:
    staged = lifecycle.generate_key(actor, flow, "api_key").key
    retired = lifecycle.retire_key(actor, staged)
    due = lifecycle.schedule_destruction(actor, retired, days=7, reason="x").destroy_at
    revoked = lifecycle.revoke_key(actor, retired, reason="leaked")
    assert (revoked.state, revoked.destroy_at) == ("revoked", due)
    assert lifecycle.destroy_due_keys(due) == 1
    assert Key.objects.get(pk=retired.pk).end_reason == "leaked"


def test_only_what_is_possible_is_offered(key: Key, actor: Actor) -> None:
    assert lifecycle.allowed_verbs(key) == ("schedule_destruction",)
    waiting = lifecycle.schedule_destruction(actor, key, days=7, reason="x")
    assert lifecycle.allowed_verbs(waiting) == ("cancel_destruction",)
    assert waiting.destroy_at is not None
    lifecycle.destroy_due_keys(waiting.destroy_at)
    assert lifecycle.allowed_verbs(Key.objects.get(pk=key.pk)) == ()
    assert not hasattr(lifecycle, "destroy_key")


# --- at once -------------------------------------------------------------------------------


def _due(key: Key, actor: Actor) -> None:
    lifecycle.schedule_destruction(actor, key, days=7, reason="x")
    Key.objects.filter(pk=key.pk).update(destroy_at=timezone.now())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("first", ["cancel", "worker"])
def test_the_lock_decides_between_who_cancels_and_the_worker(
    make_flow: Make, actor: Actor, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """The second begins while the first holds the lock, sees it due, waits, and looks again."""
    active = make_flow("citcall").flow.keys.get(purpose="api_key")
    key = lifecycle.revoke_key(actor, active, reason="x")
    _due(key, actor)
    refused: list[LifecycleError] = []
    holds = threading.Event()
    lock = lock_flow

    def held(flow_id: Any) -> Flow:
        locked = lock(flow_id)
        if not holds.is_set():
            holds.set()
            time.sleep(0.5)
        return locked

    monkeypatch.setattr(destruction, "lock_flow", held)

    def cancel() -> None:
        assert first == "cancel" or holds.wait(20)
        try:
            lifecycle.cancel_destruction(actor, key)
        except LifecycleError as error:
            refused.append(error)

    def work() -> None:
        assert first == "worker" or holds.wait(20)
        lifecycle.destroy_due_keys()

    assert at_once(cancel, work) == []
    stored = Key.objects.get(pk=key.pk)
    if first == "cancel":
        assert (stored.state, stored.destroy_at, refused) == ("revoked", None, [])
        assert readable(key)
    else:
        assert stored.state == "destroyed"
        assert [str(error) for error in refused] == [
            "API key version 1 is destroyed. Its material is gone for good. "
            f"Fingerprint: {stored.short_fingerprint}."
        ]
    verbs = AuditEntry.objects.filter(verb__in=("key.cancel_destruction", "key.destroy"))
    assert verbs.count() == 1


@pytest.mark.django_db(transaction=True)
def test_workers_at_once_destroy_once(make_flow: Make, actor: Actor) -> None:
    for _ in range(3):
        active = make_flow("citcall").flow.keys.get(purpose="api_key")
        _due(lifecycle.revoke_key(actor, active, reason="x"), actor)
    counts: list[int] = []
    assert at_once(*[lambda: counts.append(lifecycle.destroy_due_keys())] * 4) == []
    assert sum(counts) == 3
    assert AuditEntry.objects.filter(verb="key.destroy").count() == 3
    assert Key.objects.filter(state="destroyed").count() == 3
