"""A request that is not approved ends too, once, and does nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tenants import tasks
from tenants.actors import Actor, NotAllowedError
from tenants.lifecycle import IssuedFlow, LifecycleError, approvals
from tenants.models import ApprovalRequest, AuditEntry, Flow, Key
from tests.tenants.asking import (
    ask_to_revoke,
    grow_old,
    nothing_happens,
)

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]


def test_refusing_and_withdrawing_do_nothing_to_the_key(
    guarded: Flow, guarded_key: Key, anna: Actor, bert: Actor
) -> None:
    asked = ask_to_revoke(anna, guarded_key)
    nothing_happens(NotAllowedError, "Only who asked", lambda: approvals.withdraw(bert, asked))
    row = approvals.refuse(bert, asked, note="it is in use")
    assert (row.state, row.decided_by, row.decision_note) == ("refused", "bert", "it is in use")
    assert approvals.refuse(bert, asked).decided_at == row.decided_at
    again = ask_to_revoke(anna, guarded_key)
    assert again.pk != asked.pk
    taken_back = approvals.withdraw(anna, again)
    assert (taken_back.state, taken_back.decided_by) == ("withdrawn", "anna")
    assert approvals.withdraw(anna, again).decided_at == taken_back.decided_at
    assert Key.objects.get(pk=guarded_key.pk).state == "active"
    assert [bytes(row.arguments) for row in ApprovalRequest.objects.all()] == [b"", b""]
    verbs = AuditEntry.objects.filter(verb__startswith="approval.").order_by("pk")
    assert [(entry.verb, entry.actor, entry.reason) for entry in verbs] == [
        ("approval.request", "anna", "leaked"),
        ("approval.refuse", "bert", "it is in use"),
        ("approval.request", "anna", "leaked"),
        ("approval.withdraw", "anna", ""),
    ]


@pytest.mark.parametrize("end", ["approve", "refuse", "withdraw"])
def test_what_is_decided_stays_decided(
    guarded: Flow, guarded_key: Key, anna: Actor, bert: Actor, carla: Actor, end: str
) -> None:
    asked = ask_to_revoke(anna, guarded_key)
    {
        "approve": lambda: approvals.approve(bert, asked),
        "refuse": lambda: approvals.refuse(bert, asked),
        "withdraw": lambda: approvals.withdraw(anna, asked),
    }[end]()
    said = {"approve": "approved by bert", "refuse": "refused by bert", "withdraw": "withdrawn"}[
        end
    ]
    nothing_happens(LifecycleError, said, lambda: approvals.approve(carla, asked))
    nothing_happens(LifecycleError, said, lambda: approvals.refuse(carla, asked))
    if end != "withdraw":
        nothing_happens(LifecycleError, said, lambda: approvals.withdraw(anna, asked))


def test_the_worker_ends_what_waited_a_day(guarded: Flow, guarded_key: Key, anna: Actor) -> None:
    asked = ask_to_revoke(anna, guarded_key)
    late = asked.expires_at
    assert approvals.expire_requests(late - timedelta(seconds=1)) == 0
    assert approvals.expire_requests(late) == 1
    assert approvals.expire_requests(late) == 0
    row = ApprovalRequest.objects.get()
    assert (row.state, row.decided_by, bytes(row.arguments)) == ("expired", "sealgate", b"")
    entry = AuditEntry.objects.latest("pk")
    assert (entry.verb, entry.actor, entry.key) == ("approval.expire", "sealgate", guarded_key)


def test_the_worker_looks_every_minute(
    guarded: Flow, guarded_key: Key, anna: Actor, settings: Any
) -> None:
    grow_old(ask_to_revoke(anna, guarded_key))
    scheduled = settings.CELERY_BEAT_SCHEDULE["expire-requests"]
    assert scheduled == {"task": tasks.expire_requests.name, "schedule": 60.0}
    assert tasks.expire_requests() == 1
    assert ApprovalRequest.objects.get().state == "expired"


@pytest.mark.parametrize("end", ["approve", "refuse", "withdraw"])
def test_without_the_worker_it_ends_when_somebody_decides_too_late(
    guarded: Flow, guarded_key: Key, anna: Actor, bert: Actor, end: str
) -> None:
    asked = ask_to_revoke(anna, guarded_key)
    grow_old(asked)
    decide: dict[str, Callable[[], object]] = {
        "approve": lambda: approvals.approve(bert, asked),
        "refuse": lambda: approvals.refuse(bert, asked),
        "withdraw": lambda: approvals.withdraw(anna, asked),
    }
    with pytest.raises(LifecycleError, match="nobody decided within 24 hours"):
        decide[end]()
    row = ApprovalRequest.objects.get()
    assert (row.state, bytes(row.arguments)) == ("expired", b"")
    assert Key.objects.get(pk=guarded_key.pk).state == "active"
    assert AuditEntry.objects.latest("pk").verb == "approval.expire"


def test_an_expired_one_does_not_stand_in_the_way(
    guarded: Flow, guarded_key: Key, anna: Actor, carla: Actor
) -> None:
    grow_old(ask_to_revoke(anna, guarded_key))
    again = ask_to_revoke(carla, guarded_key)
    states = ApprovalRequest.objects.order_by("requested_at").values_list("state", flat=True)
    assert list(states) == ["expired", "pending"]
    assert again.requested_by == "carla"


def test_what_people_write_is_one_line_that_every_database_takes(
    guarded: Flow, guarded_key: Key, anna: Actor, bert: Actor
) -> None:
    asked = ask_to_revoke(anna, guarded_key, " le\x00aked\r\n\u202eon Monday\t" + "x" * 300)
    assert asked.reason == "le aked on Monday " + "x" * 182
    assert asked.details == {"reason": asked.reason}
    assert approvals.refuse(bert, asked, note="no\x00\n").decision_note == "no"
    nothing_happens(
        LifecycleError, "needs a reason", lambda: ask_to_revoke(anna, guarded_key, "\x00\n\u202e")
    )
