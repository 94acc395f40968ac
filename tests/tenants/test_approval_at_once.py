"""Two people who decide at once: one wins, the verb is done once, and nobody waits forever."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from tenants import lifecycle
from tenants.actors import Actor
from tenants.lifecycle import LifecycleError, SecondPersonNeededError, approvals
from tenants.models import ApprovalRequest, AuditEntry, Client, Flow, Key
from tests.support.at_once import at_once
from tests.tenants.asking import ask_to_import, ask_to_relax, ask_to_revoke
from tests.tenants.people import somebody

pytestmark = pytest.mark.django_db(transaction=True)


def test_two_who_approve_have_it_done_once(guarded: Flow, anna: Actor) -> None:
    asked = ask_to_import(anna, guarded)
    approvers = [somebody(f"approver{number}", "Approver") for number in range(4)]

    def approve(actor: Actor) -> Callable[[], object]:
        return lambda: approvals.approve(actor, asked)

    raised = at_once(*(approve(actor) for actor in approvers))
    assert [type(error) for error in raised] == [LifecycleError] * 3
    assert all("was approved by approver" in str(error) for error in raised)
    assert guarded.keys.filter(purpose="api_key").count() == 2
    verbs = Counter(AuditEntry.objects.values_list("verb", flat=True))
    assert (verbs["key.import"], verbs["approval.approve"]) == (1, 1)


def test_of_all_who_end_it_one_wins(
    guarded: Flow, guarded_key: Key, anna: Actor, bert: Actor, carla: Actor
) -> None:
    asked = ask_to_revoke(anna, guarded_key)
    ends = {
        "approved": lambda: approvals.approve(bert, asked),
        "refused": lambda: approvals.refuse(carla, asked),
        "withdrawn": lambda: approvals.withdraw(anna, asked),
        "expired": lambda: approvals.expire_requests(asked.expires_at),
    }
    raised = at_once(*ends.values())
    row = ApprovalRequest.objects.get()
    assert all(isinstance(error, LifecycleError) for error in raised), raised
    # The sweep does not complain when there is nothing left to end.
    assert len(raised) == (3 if row.state == "expired" else 2)
    assert bytes(row.arguments) == b""
    is_revoked = Key.objects.get(pk=guarded_key.pk).state == "revoked"
    assert is_revoked == (row.state == "approved")
    ending = AuditEntry.objects.filter(verb__startswith="approval.").exclude(
        verb="approval.request"
    )
    assert ending.count() == 1


def test_one_request_asked_for_by_many_at_once_waits_once(
    guarded: Flow, guarded_key: Key, anna: Actor
) -> None:
    others = [somebody(f"officer{number}", "Key officer") for number in range(3)]

    def ask(actor: Actor) -> Callable[[], object]:
        return lambda: ask_to_revoke(actor, guarded_key)

    raised = at_once(*(ask(actor) for actor in (anna, anna, *others)))
    assert all("asked for this already" in str(error) for error in raised), raised
    row = ApprovalRequest.objects.get()
    assert len(raised) == (3 if row.requested_by == "anna" else 4)
    assert AuditEntry.objects.filter(verb="approval.request").count() == 1


def test_no_verb_slips_past_a_policy_that_is_being_switched_on(
    guarded: Flow, client_row: Client, actor: Actor
) -> None:
    Client.objects.update(needs_second_person=False)
    staged = [lifecycle.generate_key(actor, guarded, "api_key").key for _ in range(6)]

    def switch_on() -> None:
        lifecycle.update_client(actor, client_row, {"needs_second_person": True})

    def revoke(key: Key) -> Callable[[], object]:
        return lambda: lifecycle.revoke_key(actor, key, reason="leaked")

    raised = at_once(switch_on, *(revoke(key) for key in staged))
    assert {type(error) for error in raised} <= {SecondPersonNeededError}
    on = AuditEntry.objects.filter(verb="client.update").latest("pk")
    assert not AuditEntry.objects.filter(verb="key.revoke", pk__gt=on.pk).exists()
    revoked = guarded.keys.filter(state="revoked").count()
    assert revoked + len(raised) == 6


def test_approvals_and_verbs_do_not_wait_in_a_circle(
    guarded: Flow, client_row: Client, actor: Actor, anna: Actor, bert: Actor, carla: Actor
) -> None:
    staged = [lifecycle.generate_key(actor, guarded, "api_key").key for _ in range(4)]
    asked = [ask_to_revoke(anna, key) for key in staged]
    relax = ask_to_relax(carla, client_row)

    def approve(row: ApprovalRequest) -> Callable[[], object]:
        return lambda: approvals.approve(bert, row)

    def rename() -> None:
        for number in range(5):
            lifecycle.update_client(actor, client_row, {"notes": f"note {number}"})

    def generate() -> None:
        for _ in range(3):
            lifecycle.generate_key(actor, guarded, "api_key")

    assert at_once(*map(approve, asked), approve(relax), rename, generate) == []
    assert guarded.keys.filter(state="revoked").count() == 4
    client_row.refresh_from_db()
    assert not client_row.needs_second_person
