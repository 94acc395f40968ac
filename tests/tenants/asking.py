"""What the tests of the second person share: asking, ageing, and that nothing happened."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tenants import at_rest, lifecycle
from tenants.actors import Actor
from tenants.lifecycle import approvals
from tenants.models import ApprovalRequest, AuditEntry, Client, Flow, Key, KeyringEpoch

TOKEN = "0123456789abcdef0123456789abcdef"
OTHER_TOKEN = "fedcba9876543210fedcba9876543210"
DAY = timedelta(hours=24)


def everything() -> tuple[Any, ...]:
    return (
        list(Client.objects.values().order_by("pk")),
        list(Key.objects.values().order_by("pk")),
        list(ApprovalRequest.objects.values().order_by("pk")),
        AuditEntry.objects.count(),
        KeyringEpoch.objects.get().value,
    )


def nothing_happens(raised: type[Exception], text: str, work: Callable[[], object]) -> None:
    before = everything()
    with pytest.raises(raised, match=text):
        work()
    assert everything() == before


def ask_to_revoke(actor: Actor, key: Key, reason: str = "leaked") -> ApprovalRequest:
    asked = approvals.do_or_ask(
        actor, lambda one: lifecycle.revoke_key(one, key, reason=reason), reason=reason
    )
    assert isinstance(asked, ApprovalRequest)
    return asked


def ask_to_import(actor: Actor, flow: Flow, token: str = TOKEN) -> ApprovalRequest:
    material = lifecycle.read_text(flow, "api_key", token)
    asked = approvals.do_or_ask(
        actor,
        lambda one: lifecycle.import_key(one, flow, "api_key", material),
        reason="theirs",
        material=material,
    )
    assert isinstance(asked, ApprovalRequest)
    return asked


def ask_to_relax(actor: Actor, client: Client) -> ApprovalRequest:
    asked = approvals.do_or_ask(
        actor, lambda one: lifecycle.relax_client(one, client, reason="slow"), reason="slow"
    )
    assert isinstance(asked, ApprovalRequest)
    return asked


def grow_old(asked: ApprovalRequest) -> None:
    """Let a day pass for a request, its seal included."""
    whole = json.loads(at_rest.open_sealed(asked.arguments, asked.at_rest_context))
    asked.expires_at -= DAY
    whole["expires_at"] = asked.expires_at.isoformat(timespec="microseconds")
    asked.arguments = at_rest.seal(json.dumps(whole).encode(), asked.at_rest_context)
    asked.save()
