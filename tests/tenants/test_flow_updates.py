"""Clients and flows are changed by the lifecycle alone: checked, audited and noticed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from tenants import lifecycle
from tenants.actors import Actor, NotAllowedError
from tenants.lifecycle import IssuedFlow, LifecycleError
from tenants.models import AuditEntry, Client, Flow, Key, KeyringEpoch

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]


def everything() -> tuple[Any, ...]:
    return (
        list(Client.objects.values().order_by("pk")),
        list(Flow.objects.values().order_by("pk")),
        list(Key.objects.values().order_by("pk")),
        AuditEntry.objects.count(),
        KeyringEpoch.objects.get().value,
    )


def nobody(permission: str) -> Actor:
    """Return somebody who may do everything but this."""
    return Actor(name="nobody", may=lambda asked: asked != permission)


def test_a_flow_and_its_new_client_are_made_together(db: None, actor: Actor) -> None:
    issued = lifecycle.create_flow(actor, Client(slug="new"), "citcall")
    assert issued.flow.client == Client.objects.get(slug="new")
    assert issued.flow.client.name == "new"
    verbs = list(AuditEntry.objects.order_by("pk").values_list("verb", flat=True))
    assert verbs == ["client.create", "flow.create", *["key.generate"] * 3]


def test_or_neither_is(db: None, make_flow: Make, actor: Actor) -> None:
    make_flow("citcall", address="partner01")
    before = everything()
    with pytest.raises(LifecycleError):
        lifecycle.create_flow(actor, Client(slug="new"), "citcall", address="partner01")
    with pytest.raises(ValidationError):
        lifecycle.create_flow(actor, Client(slug="not a slug"), "citcall")
    with pytest.raises(ValidationError):
        lifecycle.create_flow(actor, Client(slug="new"), "no_such")
    with pytest.raises(NotAllowedError):
        lifecycle.create_flow(nobody("tenants.add_client"), Client(slug="new"), "citcall")
    with pytest.raises(NotAllowedError):
        lifecycle.create_flow(nobody("tenants.add_flow"), Client(slug="new"), "citcall")
    assert everything() == before


def test_the_audit_entry_of_a_new_flow_is_complete(make_flow: Make) -> None:
    flow = make_flow(
        "citcall",
        address="partner01",
        options={"max_skew": "60"},
        callback_url="https://partner.example/",
        allowed_networks=["10.0.0.0/8"],
    ).flow
    entry = AuditEntry.objects.get(verb="flow.create")
    assert (entry.actor, entry.flow, entry.client) == ("tester", flow, flow.client)
    assert entry.after == {
        "scheme": "citcall",
        "address": "partner01",
        "identity": {"userid": "partner01"},
        "options": {"max_skew": 60},
        "backend": "sandbox",
        "backend_class": "",
        "upstream_url": "",
        "callback_url": "https://partner.example/",
        "allowed_networks": ["10.0.0.0/8"],
        "is_enabled": True,
    }


def test_a_change_is_audited_before_and_after(make_flow: Make, actor: Actor) -> None:
    flow = make_flow("citcall", options={"max_skew": 60}).flow
    epoch = KeyringEpoch.objects.get().value
    changed = lifecycle.update_flow(
        actor, flow, {"options": {"max_skew": 70}, "is_enabled": True, "callback_url": ""}
    )
    assert changed.options == {"max_skew": 70}
    entry = AuditEntry.objects.latest("pk")
    assert (entry.verb, entry.before, entry.after) == (
        "flow.update",
        {"options": {"max_skew": 60}},
        {"options": {"max_skew": 70}},
    )
    assert Flow.objects.get().changed_epoch == epoch + 1


def test_no_change_is_no_entry(make_flow: Make, actor: Actor, client_row: Client) -> None:
    flow = make_flow("citcall").flow
    before = everything()
    lifecycle.update_flow(actor, flow, {"is_enabled": True, "options": {}, "upstream_url": ""})
    lifecycle.update_client(actor, client_row, {"name": "acme"})
    assert everything() == before


@pytest.mark.parametrize(
    "changes",
    [
        {"options": {"max_skew": 0}},
        {"options": {"no_such": 1}},
        {"options": [1]},
        {"options": "max_skew=1"},
        {"options": None},
        {"options": {"number_pool": ["0215\x00XXXX"]}},
        {"backend": "upstream"},
        {"backend": "magic"},
        {"backend": "python", "backend_class": "no.such.Backend"},
        {"backend": "python", "backend_class": "os"},
        {"upstream_url": "ftp://x/"},
        {"callback_url": "http://u:p@x/"},
        {"callback_url": "x" * 501},
        {"allowed_networks": ["10.0.0.1/8"]},
        {"allowed_networks": "10.0.0.0/8"},
        {"is_enabled": None},
        {"is_enabled": "perhaps"},
    ],
)
def test_a_wrong_change_changes_nothing(
    make_flow: Make, actor: Actor, changes: dict[str, Any]
) -> None:
    flow = make_flow("citcall").flow
    before = everything()
    with pytest.raises(ValidationError):
        lifecycle.update_flow(actor, flow, changes)
    assert everything() == before


@pytest.mark.parametrize(
    "name",
    ["client", "client_id", "scheme", "address", "wire_id", "identity", "id", "pk", "keys"],
)
def test_what_is_fixed_stays(make_flow: Make, actor: Actor, name: str) -> None:
    flow = make_flow("citcall").flow
    before = everything()
    with pytest.raises(LifecycleError, match=f"{name} cannot be changed; these can: allowed_netw"):
        lifecycle.update_flow(actor, flow, {name: "x", "is_enabled": False})
    with pytest.raises(LifecycleError, match="cannot be changed"):
        lifecycle.update_client(actor, flow.client, {"created_at": None})
    assert everything() == before


def test_changes_need_their_permission(make_flow: Make, client_row: Client) -> None:
    flow = make_flow("citcall").flow
    before = everything()
    with pytest.raises(NotAllowedError):
        lifecycle.update_flow(nobody("tenants.change_flow"), flow, {"is_enabled": False})
    with pytest.raises(NotAllowedError):
        lifecycle.update_client(nobody("tenants.change_client"), client_row, {"name": "x"})
    with pytest.raises(NotAllowedError):
        lifecycle.create_client(nobody("tenants.add_client"), slug="other")
    assert everything() == before


def test_a_flow_that_no_longer_fits_can_still_be_switched_off(
    make_flow: Make, actor: Actor
) -> None:
    flow = make_flow("citcall").flow
    Flow.objects.update(
        options={"of": "another version"}, backend="python", backend_class="gone.Class"
    )
    assert not lifecycle.update_flow(actor, flow, {"is_enabled": False}).is_enabled


def test_a_client_change_reaches_all_its_flows(
    make_flow: Make, actor: Actor, client_row: Client
) -> None:
    ours = [make_flow("citcall").flow for _ in range(3)]
    theirs = lifecycle.create_flow(actor, Client(slug="other"), "citcall").flow
    lifecycle.update_client(actor, client_row, {"is_enabled": False})
    epoch = KeyringEpoch.objects.get().value
    for flow in ours:
        flow.refresh_from_db()
        assert flow.changed_epoch == epoch
    theirs.refresh_from_db()
    assert theirs.changed_epoch == epoch - 1


@pytest.mark.parametrize("slug", ["", "acme", "a b", "x" * 65, "ä"])
def test_a_bad_slug(client_row: Client, actor: Actor, slug: str) -> None:
    before = everything()
    with pytest.raises(ValidationError):
        lifecycle.create_client(actor, slug=slug)
    with pytest.raises(ValidationError):
        lifecycle.update_client(
            actor, client_row, {"slug": slug if slug != "acme" else "", "notes": "x"}
        )
    assert everything() == before


@pytest.mark.parametrize(
    ("scheme", "address", "identity"),
    [
        ("kairos", "Abcd1234", {"flow_id": "Abcd1234"}),
        ("citcall", "partner@shop", {"userid": "partner@shop"}),
        ("isu", "partner.one", {"client_id": "partner.one"}),
        ("whatsapp_flows", "unguessable", {}),
    ],
)
def test_the_address_becomes_the_public_name(
    make_flow: Make, scheme: str, address: str, identity: dict[str, str]
) -> None:
    flow = make_flow(scheme, address=address).flow
    assert flow.identity == identity
    located = {"kairos": "Abcd1234", "citcall": "partner@shop", "whatsapp_flows": "unguessable"}
    assert flow.wire_id == located.get(scheme)


@pytest.mark.parametrize("scheme", ["kairos", "citcall", "isu", "whatsapp_flows", "flynn"])
def test_public_names_are_of_the_contracts_form(make_flow: Make, scheme: str) -> None:
    import re  # noqa: PLC0415

    for address in ("", "A.b-c_d@e.f", "x" * 64):
        flow = make_flow(scheme, address=address).flow
        for item in flow.contract.identity:
            assert re.fullmatch(item.pattern, flow.identity[item.name]), (item.name, address)


def test_made_addresses_are_of_the_contracts_form_and_differ(make_flow: Make) -> None:
    made = {make_flow("whatsapp_flows").flow.address for _ in range(5)}
    assert len(made) == 5
    assert all(len(address) == 32 for address in made)
