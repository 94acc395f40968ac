"""A second person decides: what was asked for is done, once, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.utils import timezone

from tenants import at_rest, lifecycle
from tenants.actors import Actor, NotAllowedError
from tenants.lifecycle import IssuedFlow, LifecycleError, approvals
from tenants.models import ApprovalRequest, AuditEntry, Client, Flow, Key
from tests.tenants.asking import (
    OTHER_TOKEN,
    TOKEN,
    ask_to_import,
    ask_to_relax,
    ask_to_revoke,
    everything,
    nothing_happens,
)
from tests.tenants.people import somebody

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]


def test_approving_does_it_in_the_name_of_who_asked(
    guarded: Flow, guarded_key: Key, anna: Actor, bert: Actor
) -> None:
    asked = ask_to_revoke(anna, guarded_key)
    entries = AuditEntry.objects.count()
    row = approvals.approve(bert, asked, note="saw it too")
    assert (row.state, row.decided_by, row.decided_by_account, row.decision_note) == (
        "approved",
        "bert",
        bert.account,
        "saw it too",
    )
    assert bytes(ApprovalRequest.objects.get().arguments) == b""
    guarded_key.refresh_from_db()
    assert (guarded_key.state, guarded_key.end_reason) == ("revoked", "leaked")
    done, decided = AuditEntry.objects.order_by("pk")[entries:]
    assert (done.verb, done.actor, done.reason, done.key) == (
        "key.revoke",
        "anna",
        "leaked",
        guarded_key,
    )
    assert done.after["approved_by"] == "bert"
    assert done.after["approval"] == str(row.pk)
    assert (decided.verb, decided.actor, decided.reason, decided.key) == (
        "approval.approve",
        "bert",
        "saw it too",
        guarded_key,
    )
    assert decided.after == {"approval": str(row.pk), "verb": "key.revoke", "asked_by": "anna"}


def test_an_import_that_is_approved_is_the_very_secret(
    guarded: Flow, anna: Actor, bert: Actor
) -> None:
    asked = ask_to_import(anna, guarded)
    row = approvals.approve(bert, asked)
    key = guarded.keys.get(purpose="api_key", version=2)
    assert row.key == key
    assert (key.state, key.fingerprint) == ("staged", asked.details["fingerprint"])
    assert at_rest.open_sealed(key.material, key.at_rest_context).decode() == TOKEN
    assert bytes(ApprovalRequest.objects.get().arguments) == b""


def test_destroying_and_relaxing_by_two(
    guarded: Flow, guarded_key: Key, anna: Actor, bert: Actor, carla: Actor, client_row: Client
) -> None:
    lifecycle.promote_key(anna, lifecycle.generate_key(anna, guarded, "api_key").key)
    lifecycle.retire_key(anna, guarded_key)
    asked = approvals.do_or_ask(
        anna,
        lambda one: lifecycle.schedule_destruction(one, guarded_key, days=7, reason="old"),
        reason="old",
    )
    assert isinstance(asked, ApprovalRequest)
    assert asked.details == {"days": 7, "reason": "old"}
    assert Key.objects.get(pk=guarded_key.pk).destroy_at is None
    approved_at = timezone.now()
    approvals.approve(bert, asked)
    destroy_at = Key.objects.get(pk=guarded_key.pk).destroy_at
    assert destroy_at is not None
    assert timedelta(0) <= destroy_at - approved_at - timedelta(days=7) < timedelta(minutes=1)
    assert lifecycle.destroy_due_keys(destroy_at) == 1
    assert AuditEntry.objects.latest("pk").reason == "Scheduled by anna: old"
    asked = ask_to_relax(carla, client_row)
    assert (asked.client, asked.flow, asked.key) == (client_row, None, None)
    nothing_happens(LifecycleError, "yourself", lambda: approvals.approve(carla, asked))
    approvals.approve(bert, asked)
    client_row.refresh_from_db()
    assert not client_row.needs_second_person
    relaxed = AuditEntry.objects.get(verb="client.relax")
    assert (relaxed.actor, relaxed.reason, relaxed.client) == ("carla", "slow", client_row)
    assert relaxed.before == {"needs_second_person": True}
    assert relaxed.after["approved_by"] == "bert"


def test_nobody_approves_their_own(guarded: Flow, guarded_key: Key, carla: Actor) -> None:
    asked = ask_to_revoke(carla, guarded_key)
    nothing_happens(
        LifecycleError, "You asked for this yourself", lambda: approvals.approve(carla, asked)
    )
    nothing_happens(LifecycleError, "yourself", lambda: approvals.refuse(carla, asked))


def test_another_name_is_the_same_person(guarded: Flow, guarded_key: Key, carla: Actor) -> None:
    asked = ask_to_revoke(carla, guarded_key)
    User.objects.filter(username="carla").update(username="karla")
    renamed = Actor(name="karla", may=carla.may, account=carla.account)
    nothing_happens(LifecycleError, "yourself", lambda: approvals.approve(renamed, asked))
    # Nor is whoever took over the name another one, on paper.
    heir = somebody("carla", "Approver")
    nothing_happens(LifecycleError, "yourself", lambda: approvals.approve(heir, asked))


def test_every_shell_is_one_person(guarded: Flow, guarded_key: Key) -> None:
    asked = ask_to_revoke(Actor.command_line(), guarded_key)
    other = Actor(name="shell:other", account="shell")
    nothing_happens(LifecycleError, "yourself", lambda: approvals.approve(other, asked))


def test_deciding_needs_the_permission(
    guarded: Flow, guarded_key: Key, carla: Actor, anna: Actor
) -> None:
    asked = ask_to_revoke(carla, guarded_key)
    for decide in (approvals.approve, approvals.refuse):
        nothing_happens(
            NotAllowedError,
            "anna lacks the permission tenants.decide_approvalrequest",
            lambda decide=decide: decide(anna, asked),  # type: ignore[misc]
        )


def leave(user: User) -> None:
    user.is_active = False
    user.save()


def lose_the_role(user: User) -> None:
    user.groups.set(Group.objects.filter(name="Viewer"))


def lose_the_admin(user: User) -> None:
    user.is_staff = False
    user.save()


@pytest.mark.parametrize("change", [leave, lose_the_role, lose_the_admin])
def test_who_asked_must_still_be_allowed_to(
    guarded: Flow, guarded_key: Key, anna: Actor, bert: Actor, change: Callable[[User], None]
) -> None:
    asked = ask_to_revoke(anna, guarded_key)
    change(User.objects.get(username="anna"))
    nothing_happens(
        LifecycleError, "may not do it any more", lambda: approvals.approve(bert, asked)
    )
    approvals.refuse(bert, asked)
    assert Key.objects.get(pk=guarded_key.pk).state == "active"


def test_who_is_deleted_is_allowed_nothing(
    guarded: Flow, guarded_key: Key, anna: Actor, bert: Actor
) -> None:
    asked = ask_to_revoke(anna, guarded_key)
    User.objects.filter(username="anna").delete()
    nothing_happens(
        LifecycleError, "may not do it any more", lambda: approvals.approve(bert, asked)
    )


def test_what_was_done_meanwhile_is_not_approved(
    guarded: Flow, guarded_key: Key, anna: Actor, bert: Actor, carla: Actor
) -> None:
    asked = ask_to_revoke(anna, guarded_key)
    lifecycle.break_glass(
        Actor.command_line(),
        lambda one: lifecycle.revoke_key(one, guarded_key, reason="now"),
        reason="at night",
    )
    nothing_happens(LifecycleError, "done already", lambda: approvals.approve(bert, asked))
    imported = ask_to_import(anna, guarded)
    again = ask_to_import(carla, guarded, OTHER_TOKEN)
    approvals.approve(bert, imported)
    approvals.approve(bert, again)
    assert list(
        guarded.keys.filter(purpose="api_key").order_by("version").values_list("state", flat=True)
    ) == ["revoked", "active", "staged"]


def test_what_is_not_possible_any_more_goes_on_waiting(
    guarded: Flow, guarded_key: Key, anna: Actor, bert: Actor
) -> None:
    lifecycle.promote_key(anna, lifecycle.generate_key(anna, guarded, "api_key").key)
    asked = ask_to_revoke(anna, guarded_key)
    lifecycle.retire_key(anna, guarded_key)
    lifecycle.break_glass(
        Actor.command_line(),
        lambda one: lifecycle.schedule_destruction(one, guarded_key, days=7, reason="old"),
        reason="at night",
    )
    lifecycle.destroy_due_keys(timezone.now() + timedelta(days=7))
    nothing_happens(LifecycleError, "is destroyed", lambda: approvals.approve(bert, asked))


def test_after_the_policy_is_off_what_waits_can_still_be_approved(
    guarded: Flow, guarded_key: Key, anna: Actor, bert: Actor, client_row: Client
) -> None:
    asked = ask_to_revoke(anna, guarded_key)
    lifecycle.break_glass(
        Actor.command_line(),
        lambda one: lifecycle.relax_client(one, client_row, reason="slow"),
        reason="slow",
    )
    approvals.approve(bert, asked)
    assert Key.objects.get(pk=guarded_key.pk).state == "revoked"


def test_approving_again_changes_nothing(
    guarded: Flow, guarded_key: Key, anna: Actor, bert: Actor
) -> None:
    asked = ask_to_revoke(anna, guarded_key)
    first = approvals.approve(bert, asked)
    before = everything()
    assert approvals.approve(bert, asked).decided_at == first.decided_at
    assert approvals.approve(bert, first).state == "approved"
    assert everything() == before
