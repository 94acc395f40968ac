"""Asking a second person: what is written, sealed, refused, and asked for once."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from tenants import at_rest
from tenants.actors import Actor, NotAllowedError
from tenants.clearance import Intent
from tenants.lifecycle import IssuedFlow, LifecycleError, approvals
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


def test_asking_writes_who_what_and_why(guarded: Flow, guarded_key: Key, anna: Actor) -> None:
    asked = ask_to_revoke(anna, guarded_key)
    row = ApprovalRequest.objects.get()
    assert (row.pk, row.state, row.verb) == (asked.pk, "pending", "key.revoke")
    assert (row.client, row.flow, row.key) == (guarded.client, guarded, guarded_key)
    assert (row.requested_by, row.requested_by_account) == ("anna", anna.account)
    assert (row.reason, row.details) == ("leaked", {"reason": "leaked"})
    assert abs(row.expires_at - timezone.now() - DAY) < timedelta(minutes=1)
    assert Key.objects.get(pk=guarded_key.pk).state == "active"
    entry = AuditEntry.objects.latest("pk")
    assert (entry.verb, entry.actor, entry.key) == ("approval.request", "anna", guarded_key)
    assert entry.after == {"approval": str(row.pk), "verb": "key.revoke", "asked_by": "anna"}
    assert entry.reason == "leaked"


def test_a_secret_that_waits_is_sealed(guarded: Flow, anna: Actor) -> None:
    asked = ask_to_import(anna, guarded)
    assert asked.details == {
        "purpose": "api_key",
        "fingerprint": asked.details["fingerprint"],
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM tenants_approvalrequest")
        stored = b"|".join(
            bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
            for value in cursor.fetchone()
        )
    assert TOKEN.encode() not in stored
    assert TOKEN not in json.dumps(list(AuditEntry.objects.values("before", "after")))
    opened = at_rest.open_sealed(asked.arguments, asked.at_rest_context)
    assert len(opened) > len(TOKEN)


def test_asking_again_changes_nothing(guarded: Flow, guarded_key: Key, anna: Actor) -> None:
    first = ask_to_revoke(anna, guarded_key)
    import_first = ask_to_import(anna, guarded)
    before = everything()
    assert ask_to_revoke(anna, guarded_key).pk == first.pk
    assert ask_to_import(anna, guarded).pk == import_first.pk
    assert everything() == before


def test_the_same_is_asked_for_once(
    guarded: Flow, guarded_key: Key, anna: Actor, carla: Actor
) -> None:
    ask_to_revoke(anna, guarded_key)
    ask_to_import(anna, guarded)
    nothing_happens(
        LifecycleError, "anna asked for this already", lambda: ask_to_revoke(carla, guarded_key)
    )
    nothing_happens(
        LifecycleError, "anna asked for this already", lambda: ask_to_import(carla, guarded)
    )
    nothing_happens(
        LifecycleError, "in another way", lambda: ask_to_revoke(anna, guarded_key, "no longer used")
    )
    other = ask_to_import(carla, guarded, OTHER_TOKEN)
    assert other.state == "pending"


def test_without_the_policy_nothing_is_asked_for(
    make_flow: Make, anna: Actor, client_row: Client
) -> None:
    key = make_flow("citcall").flow.keys.get(purpose="api_key")
    intent = Intent("key.revoke", client_row.pk, key.flow_id, key.pk, {"reason": "leaked"})
    nothing_happens(
        LifecycleError,
        "do it at once",
        lambda: approvals.request(anna, intent, reason="leaked"),
    )


def test_what_needs_no_second_person_cannot_be_asked_for(
    guarded: Flow, guarded_key: Key, anna: Actor
) -> None:
    for verb in ("key.promote", "key.generate", "client.update", ""):
        intent = Intent(verb, guarded.client_id, guarded.pk, guarded_key.pk)
        nothing_happens(
            LifecycleError,
            "is not asked for",
            lambda intent=intent: approvals.request(anna, intent, reason="x"),  # type: ignore[misc]
        )


def test_an_intent_that_does_not_fit_together_is_not_asked_for(
    guarded: Flow, guarded_key: Key, anna: Actor, make_flow: Make
) -> None:
    other = make_flow("citcall").flow
    for intent, text in (
        (
            Intent("key.revoke", guarded.client_id, other.pk, guarded_key.pk, {"reason": "x"}),
            "changed",
        ),
        (
            Intent("key.revoke", guarded.client_id, guarded.pk, None, {"reason": "x"}),
            "does not say",
        ),
        (
            Intent(
                "key.revoke", guarded.client_id, guarded.pk, guarded_key.pk, {"reason": "x", "a": 1}
            ),
            "changed",
        ),
    ):
        nothing_happens(
            LifecycleError,
            text,
            lambda intent=intent: approvals.request(anna, intent, reason="x"),  # type: ignore[misc]
        )


def test_the_product_itself_neither_asks_nor_decides(
    guarded: Flow, guarded_key: Key, anna: Actor
) -> None:
    product = Actor.product()
    nothing_happens(NotAllowedError, "is no person", lambda: ask_to_revoke(product, guarded_key))
    asked = ask_to_revoke(anna, guarded_key)
    nothing_happens(NotAllowedError, "is no person", lambda: approvals.approve(product, asked))
    nothing_happens(NotAllowedError, "is no person", lambda: approvals.refuse(product, asked))
    nothing_happens(NotAllowedError, "is no person", lambda: approvals.withdraw(product, asked))
