"""Under a client's policy some verbs are held back, and nothing lets them through by accident."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from crypto_schemes.errors import KeyMaterialError
from tenants import at_rest, lifecycle
from tenants.actors import Actor, NotAllowedError
from tenants.clearance import Clearance, Intent
from tenants.lifecycle import IssuedFlow, LifecycleError, SecondPersonNeededError, approvals
from tenants.models import ApprovalRequest, AuditEntry, Client, Flow, Key
from tests.tenants.asking import (
    DAY,
    OTHER_TOKEN,
    TOKEN,
    ask_to_import,
    ask_to_revoke,
    everything,
    nothing_happens,
)

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]


def test_each_covered_verb_is_held_back_and_changes_nothing(
    guarded: Flow, guarded_key: Key, actor: Actor, client_row: Client
) -> None:
    staged = lifecycle.generate_key(actor, guarded, "api_key").key
    retired = lifecycle.retire_key(actor, staged)
    verbs: dict[str, Callable[[], object]] = {
        "key.revoke": lambda: lifecycle.revoke_key(actor, guarded_key, reason="leaked"),
        "key.import": lambda: lifecycle.import_text(actor, guarded, "api_key", TOKEN),
        "key.schedule_destruction": lambda: lifecycle.schedule_destruction(
            actor, retired, days=7, reason="old"
        ),
        "client.relax": lambda: lifecycle.relax_client(actor, client_row, reason="too slow"),
    }
    for name, verb in verbs.items():
        nothing_happens(SecondPersonNeededError, f"{name} needs a second person here", verb)


def test_what_is_not_covered_goes_on_alone(guarded: Flow, guarded_key: Key, actor: Actor) -> None:
    staged = lifecycle.generate_key(actor, guarded, "api_key").key
    lifecycle.promote_key(actor, staged)
    lifecycle.retire_key(actor, guarded_key)
    states = guarded.keys.filter(purpose="api_key").order_by("version")
    assert [row.state for row in states] == ["retired", "active"]


def test_other_clients_go_on_alone(guarded: Flow, actor: Actor, make_flow: Make) -> None:
    other = lifecycle.create_client(actor, slug="other")
    theirs = lifecycle.create_flow(actor, other, "citcall").flow
    lifecycle.revoke_key(actor, theirs.keys.get(purpose="api_key"), reason="leaked")
    assert theirs.keys.get(purpose="api_key").state == "revoked"


def test_the_error_says_what_to_do_and_holds_no_secret(guarded: Flow, actor: Actor) -> None:
    with pytest.raises(SecondPersonNeededError) as caught:
        lifecycle.import_text(actor, guarded, "api_key", TOKEN)
    assert "Ask for it" in str(caught.value)
    assert "manage.py key approvals approve" in str(caught.value)
    assert TOKEN not in f"{caught.value!r} {caught.value.intent!r}"


def test_what_would_be_refused_anyway_is_refused_before_anybody_is_asked(
    guarded: Flow, guarded_key: Key, anna: Actor, bert: Actor
) -> None:
    nothing_happens(
        NotAllowedError, "bert lacks the permission", lambda: ask_to_revoke(bert, guarded_key)
    )
    nothing_happens(
        LifecycleError, "needs a reason", lambda: ask_to_revoke(anna, guarded_key, "  ")
    )
    token = at_rest.open_sealed(guarded_key.material, guarded_key.at_rest_context).decode()
    nothing_happens(LifecycleError, "already", lambda: ask_to_import(anna, guarded, token))
    nothing_happens(
        KeyMaterialError, "repeats a few", lambda: ask_to_import(anna, guarded, "a" * 32)
    )


def test_a_secret_of_another_flow_is_refused_when_asked_for(
    guarded: Flow, anna: Actor, make_flow: Make
) -> None:
    token = make_flow("citcall").credentials["api_key"]
    nothing_happens(
        KeyMaterialError, "in use by another flow", lambda: ask_to_import(anna, guarded, token)
    )


@pytest.mark.parametrize("column", ["key", "details", "requested_by_account", "expires_at"])
def test_a_request_that_was_changed_in_the_database_is_not_done(
    guarded: Flow, guarded_key: Key, anna: Actor, bert: Actor, carla: Actor, column: str
) -> None:
    asked = ask_to_revoke(carla, guarded_key)
    other = guarded.keys.exclude(pk=guarded_key.pk)[0]
    changes: dict[str, Any] = {
        "key": other.pk,
        "details": {"reason": "other"},
        "requested_by_account": anna.account,
        "expires_at": asked.expires_at + DAY,
    }
    ApprovalRequest.objects.filter(pk=asked.pk).update(**{column: changes[column]})
    nothing_happens(
        LifecycleError, "was changed in the database", lambda: approvals.approve(bert, asked)
    )
    approvals.refuse(bert, asked)


def test_what_one_request_carries_does_not_open_in_another(
    guarded: Flow, anna: Actor, bert: Actor
) -> None:
    one = ask_to_import(anna, guarded)
    two = ask_to_import(anna, guarded, OTHER_TOKEN)
    ApprovalRequest.objects.filter(pk=two.pk).update(arguments=one.arguments)
    nothing_happens(LifecycleError, "cannot be read", lambda: approvals.approve(bert, two))


def test_a_clearance_is_good_for_one_thing_once(
    guarded: Flow, guarded_key: Key, carla: Actor
) -> None:
    other = guarded.keys.exclude(pk=guarded_key.pk)[0]
    intent = Intent(
        "key.revoke", guarded.client_id, guarded.pk, guarded_key.pk, {"reason": "leaked"}
    )
    clearance = Clearance(intent, {"approved_by": "x"})
    cleared = Actor(name="carla", may=carla.may, clearance=clearance)
    refusals: list[Callable[[], object]] = [
        lambda: lifecycle.revoke_key(cleared, other, reason="leaked"),
        lambda: lifecycle.revoke_key(cleared, guarded_key, reason="other"),
        lambda: lifecycle.import_text(cleared, guarded, "api_key", TOKEN),
        lambda: lifecycle.relax_client(cleared, guarded.client, reason="leaked"),
    ]
    for work in refusals:
        nothing_happens(LifecycleError, "not what would be done", work)
    lifecycle.revoke_key(cleared, guarded_key, reason="leaked")
    assert clearance.is_spent
    nothing_happens(
        LifecycleError,
        "not what would be done",
        lambda: lifecycle.revoke_key(cleared, other, reason="leaked"),
    )


def test_the_policy_is_switched_on_by_one_and_off_by_two(
    client_row: Client, carla: Actor, anna: Actor
) -> None:
    lifecycle.update_client(carla, client_row, {"needs_second_person": True})
    assert AuditEntry.objects.latest("pk").after == {"needs_second_person": True}
    lifecycle.update_client(carla, client_row, {"needs_second_person": True, "notes": "x"})
    for off in (False, 0, None, ""):
        nothing_happens(
            LifecycleError,
            "switched off by itself",
            lambda off=off: lifecycle.update_client(  # type: ignore[misc]
                carla, client_row, {"needs_second_person": off, "name": "Renamed"}
            ),
        )
    nothing_happens(
        SecondPersonNeededError,
        "client.relax needs a second person",
        lambda: lifecycle.relax_client(carla, client_row, reason="slow"),
    )
    nothing_happens(
        NotAllowedError,
        "anna lacks",
        lambda: lifecycle.relax_client(anna, client_row, reason="slow"),
    )
    nothing_happens(
        LifecycleError, "a reason", lambda: lifecycle.relax_client(carla, client_row, reason=" ")
    )


def test_relaxing_what_is_relaxed_changes_nothing(client_row: Client, carla: Actor) -> None:
    before = everything()
    lifecycle.relax_client(carla, client_row, reason="slow")
    assert everything() == before
