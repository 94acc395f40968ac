"""The database itself refuses rows that must not be, whoever writes them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from tenants import lifecycle
from tenants.actors import Actor
from tenants.lifecycle import IssuedFlow
from tenants.models import (
    ApprovalRequest,
    AuditEntry,
    Client,
    Flow,
    HandOver,
    Key,
    KeyringEpoch,
)

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]
NOW = datetime(2031, 1, 1, tzinfo=UTC)


def insert(table: str, **values: Any) -> None:
    """Insert a row with SQL of our own: no model, no validation."""
    names = ", ".join(f'"{name}"' for name in values)
    places = ", ".join(["%s"] * len(values))
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({names}) VALUES ({places})", list(values.values()))


def set_values(table: str, pk: Any, **values: Any) -> None:
    """Change a row with SQL of our own."""
    names = ", ".join(f'"{name}" = %s' for name in values)
    identity = adapted(pk)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {names} WHERE id = %s", [*values.values(), identity])


def adapted(value: Any) -> Any:
    """Return a UUID as this database takes it in plain SQL."""
    if isinstance(value, uuid.UUID) and connection.vendor == "sqlite":
        return value.hex
    return value


def refused(change: Callable[[], None], name: str) -> None:
    """Assert that the constraint ``name`` (or a column of it) refuses ``change``."""
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        change()
    text = str(caught.value)
    assert name in text or connection.vendor == "sqlite", text
    if connection.vendor == "sqlite":
        assert "constraint failed" in text


def a_flow(client: Client, **changes: Any) -> dict[str, Any]:
    return {
        "id": adapted(uuid.uuid4()),
        "client_id": adapted(client.pk),
        "scheme": "citcall",
        "address": f"a{uuid.uuid4().hex[:12]}",
        "wire_id": uuid.uuid4().hex,
        "identity": json.dumps({}),
        "options": json.dumps({}),
        "backend": "sandbox",
        "backend_class": "",
        "upstream_url": "",
        "callback_url": "",
        "allowed_networks": json.dumps([]),
        "is_enabled": True,
        "created_at": NOW,
        "changed_epoch": 0,
        **changes,
    }


def a_key(flow: Flow, **changes: Any) -> dict[str, Any]:
    return {
        "id": adapted(uuid.uuid4()),
        "flow_id": adapted(flow.pk),
        "purpose": "api_key",
        "version": 9,
        "state": "staged",
        "material": b"sealed",
        "public_pem": "",
        "fingerprint": "f" * 64,
        "lookup_digest": "",
        "created_at": NOW,
        "activated_at": None,
        "accept_until": None,
        "ended_at": None,
        "end_reason": "",
        "last_used_at": None,
        "use_count": 0,
        **changes,
    }


def a_request(flow: Flow, **changes: Any) -> dict[str, Any]:
    return {
        "id": adapted(uuid.uuid4()),
        "verb": "key.revoke",
        "client_id": adapted(flow.client_id),
        "flow_id": adapted(flow.pk),
        "key_id": None,
        "details": json.dumps({}),
        "arguments": b"sealed",
        "reason": "leaked",
        "state": "pending",
        "requested_by": "anna",
        "requested_by_account": "user:1",
        "requested_at": NOW,
        "expires_at": NOW,
        "decided_by": "",
        "decided_by_account": "",
        "decided_at": None,
        "decision_note": "",
        **changes,
    }


#: What an approved request says.
APPROVED: dict[str, Any] = {
    "state": "approved",
    "arguments": b"",
    "decided_at": NOW,
    "decided_by": "bert",
    "decided_by_account": "user:2",
}


def test_good_rows_pass(make_flow: Make, client_row: Client) -> None:
    flow = make_flow("citcall").flow
    insert("tenants_flow", **a_flow(client_row))
    insert("tenants_flow", **a_flow(client_row, wire_id=None, scheme="isu"))
    insert("tenants_flow", **a_flow(client_row, wire_id=None, scheme="isu"))
    insert("tenants_key", **a_key(flow))
    insert("tenants_key", **a_key(flow, version=10))
    retiring = a_key(flow, version=11, state="retiring", activated_at=NOW, accept_until=NOW)
    insert("tenants_key", **retiring)
    insert("tenants_key", **a_key(flow, version=12, state="retired", ended_at=NOW))
    destroyed = a_key(flow, version=13, state="destroyed", ended_at=NOW, material=b"")
    insert("tenants_key", **destroyed)


def test_good_requests_pass(make_flow: Make) -> None:
    flow = make_flow("citcall").flow
    key = adapted(flow.keys.get(purpose="api_key").pk)
    table = "tenants_approvalrequest"
    insert(table, **a_request(flow, key_id=key))
    insert(table, **a_request(flow, key_id=key, **APPROVED))
    insert(table, **a_request(flow, key_id=key, verb="key.destroy"))
    for _ in range(2):
        insert(table, **a_request(flow, verb="key.import"))
    expired = {"state": "expired", "arguments": b"", "decided_at": NOW}
    for _ in range(2):
        insert(table, **a_request(flow, flow_id=None, verb="client.relax", **expired))
    insert(table, **a_request(flow, flow_id=None, verb="client.relax"))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("approval_state_known", {"state": "perhaps", "arguments": b"", "decided_at": NOW}),
        ("approval_decided_has_time_and_forgets", {"state": "refused", "decided_at": NOW}),
        ("approval_decided_has_time_and_forgets", {"state": "refused", "arguments": b""}),
        ("approval_decided_has_time_and_forgets", {"decided_at": NOW}),
        ("approval_by_somebody_else", {**APPROVED, "decided_by": "anna"}),
        ("approval_by_another_account", {**APPROVED, "decided_by_account": "user:1"}),
        ("approval_by_another_account", {**APPROVED, "decided_by_account": ""}),
        ("approval_by_another_account", {**APPROVED, "requested_by_account": ""}),
    ],
)
def test_requests_that_must_not_be(make_flow: Make, name: str, changes: dict[str, Any]) -> None:
    flow = make_flow("citcall").flow
    refused(lambda: insert("tenants_approvalrequest", **a_request(flow, **changes)), name)
    assert not ApprovalRequest.objects.exists()


def test_a_request_waits_once(make_flow: Make) -> None:
    flow = make_flow("citcall").flow
    key = adapted(flow.keys.get(purpose="api_key").pk)
    table = "tenants_approvalrequest"
    without_flow = {"flow_id": None, "verb": "client.relax"}
    insert(table, **a_request(flow, key_id=key))
    insert(table, **a_request(flow, **without_flow))
    refused(lambda: insert(table, **a_request(flow, key_id=key)), "approval_pending_once")
    refused(
        lambda: insert(table, **a_request(flow, **without_flow)), "approval_pending_once_of_client"
    )
    refused(
        lambda: insert(table, **a_request(flow, key_id=key, flow_id=None, verb="x")),
        "approval_of_a_key_names_its_flow",
    )


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("flow_scheme_not_empty", {"scheme": ""}),
        ("flow_backend_known", {"backend": "magic"}),
        ("flow_upstream_has_url", {"backend": "upstream"}),
        ("flow_python_has_class", {"backend": "python"}),
        ("flow_wire_id_not_empty", {"wire_id": ""}),
        ("flow_upstream_url_http", {"upstream_url": "ftp://x/"}),
        ("flow_callback_url_http", {"callback_url": "file:///etc/passwd"}),
        ("flow_callback_url_http", {"callback_url": "javascript:alert(1)"}),
    ],
)
def test_flows_that_must_not_be(client_row: Client, name: str, changes: dict[str, Any]) -> None:
    refused(lambda: insert("tenants_flow", **a_flow(client_row, **changes)), name)
    assert not Flow.objects.exists()


@pytest.mark.parametrize(
    ("name", "field"), [("flow_address_once", "address"), ("flow_wire_id_once", "wire_id")]
)
def test_two_flows_cannot_have_one_name(client_row: Client, name: str, field: str) -> None:
    insert("tenants_flow", **a_flow(client_row, **{field: "same"}))
    refused(lambda: insert("tenants_flow", **a_flow(client_row, **{field: "same"})), name)
    insert("tenants_flow", **a_flow(client_row, scheme="kairos", **{field: "same"}))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("key_version_once", {"version": 1}),
        ("key_one_active", {"state": "active", "activated_at": NOW}),
        ("key_state_known", {"state": "resting"}),
        ("key_version_from_one", {"version": 0}),
        ("key_end_while_retiring", {"state": "retiring", "activated_at": NOW}),
        ("key_end_while_retiring", {"accept_until": NOW}),
        ("key_activated_before_sealing", {"state": "retiring", "accept_until": NOW}),
        ("key_activated_before_sealing", {"state": "active", "purpose": "other"}),
        ("key_ended_has_time", {"state": "retired"}),
        ("key_ended_has_time", {"ended_at": NOW}),
        ("key_revoked_has_reason", {"state": "revoked", "ended_at": NOW}),
        ("key_material_until_destroyed", {"material": b""}),
        ("key_material_until_destroyed", {"state": "destroyed", "ended_at": NOW}),
    ],
)
def test_keys_that_must_not_be(make_flow: Make, name: str, changes: dict[str, Any]) -> None:
    flow = make_flow("citcall").flow
    before = Key.objects.count()
    refused(lambda: insert("tenants_key", **a_key(flow, **changes)), name)
    assert Key.objects.count() == before


def test_a_locating_secret_finds_one_flow(make_flow: Make) -> None:
    ours, theirs = make_flow("citcall").flow, make_flow("citcall").flow
    digest = theirs.keys.get(purpose="api_key").lookup_digest
    refused(
        lambda: insert("tenants_key", **a_key(ours, lookup_digest=digest)), "key_locates_one_flow"
    )


def test_a_staged_row_cannot_be_made_a_second_active_one(make_flow: Make, actor: Actor) -> None:
    flow = make_flow("citcall").flow
    staged = lifecycle.generate_key(actor, flow, "api_key").key
    refused(
        lambda: set_values("tenants_key", staged.pk, state="active", activated_at=NOW),
        "key_one_active",
    )


def test_two_clients_cannot_have_one_slug(client_row: Client) -> None:
    refused(
        lambda: insert(
            "tenants_client",
            id=adapted(uuid.uuid4()),
            slug="acme",
            name="",
            contact_email="",
            notes="",
            is_enabled=True,
            needs_second_person=False,
            created_at=NOW,
        ),
        "slug",
    )


def test_a_hand_over_is_opened_or_withdrawn_and_found_by_one_token(make_flow: Make) -> None:
    flow = make_flow("citcall").flow
    row = HandOver.objects.create(flow=flow, token_digest="a" * 64, expires_at=NOW)
    both = {"opened_at": NOW, "withdrawn_at": NOW}
    refused(lambda: set_values("tenants_handover", row.pk, **both), "handover_ends_once")
    other = HandOver.objects.create(flow=flow, token_digest="b" * 64, expires_at=NOW)
    refused(lambda: set_values("tenants_handover", other.pk, token_digest="a" * 64), "token_digest")


def test_there_is_one_epoch() -> None:
    assert KeyringEpoch.objects.count() == 1
    refused(lambda: insert("tenants_keyringepoch", id=2, value=0), "keyring_epoch_single")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("table", ["tenants_client", "tenants_flow", "tenants_key"])
def test_what_others_refer_to_cannot_be_deleted(make_flow: Make, table: str) -> None:
    make_flow("citcall")
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table}")
    assert (Client.objects.count(), Flow.objects.count(), Key.objects.count()) == (1, 1, 3)
    assert AuditEntry.objects.count() == 5
