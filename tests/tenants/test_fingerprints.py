"""Which key it is, is said the same way everywhere: by the beginning of its fingerprint."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from crypto_schemes.keys import key_label, short_fingerprint
from flows_endpoint.models import ExchangeRow
from tenants import lifecycle, master_rotation
from tenants.actors import Actor
from tenants.at_rest import AtRestError
from tenants.key_material import open_material
from tenants.keyring import keyring
from tenants.lifecycle import IssuedFlow, LifecycleError
from tenants.models import AuditEntry, Client, Flow, Key
from tests.tenants.admin_pages import add_flow

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_keys")]
Make = Callable[..., IssuedFlow]


@pytest.fixture
def key(make_flow: Make) -> Key:
    return make_flow("citcall", address="partner01").flow.keys.get(purpose="api_key")


@pytest.fixture
def short(key: Key) -> str:
    digits = key.fingerprint
    return f"{digits[:4]} {digits[4:8]} {digits[8:12]} {digits[12:16]}"


def test_one_form(key: Key, short: str) -> None:
    assert short_fingerprint(key.fingerprint) == key.short_fingerprint == short
    assert str(key) == f"api_key v1 ({short})"
    assert key_label("api_key", 1, key.fingerprint) == str(key)
    assert key_label("api_key", 1, "") == "api_key v1"


def test_every_page_about_a_key_shows_it(administrator: Browser, key: Key, short: str) -> None:
    entry = AuditEntry.objects.filter(key=key).latest("pk")
    pages: dict[str, list[object]] = {
        "tenants_key_changelist": [],
        "tenants_key_change": [key.pk],
        "tenants_key_history": [key.pk],
        "tenants_flow_change": [key.flow_id],
        "tenants_auditentry_changelist": [],
        "tenants_auditentry_change": [entry.pk],
    }
    for name, arguments in pages.items():
        page = administrator.get(reverse(f"admin:{name}", args=arguments))
        assert page.status_code == 200
        assert short in page.content.decode(), name


def test_the_page_of_what_was_issued_shows_all(administrator: Browser, client_row: Client) -> None:
    page = add_flow(administrator, "isu", client_row).content.decode()
    keys = list(Flow.objects.get().keys.all())
    assert len(keys) > 3
    for key in keys:
        assert key.short_fingerprint in page, key.purpose


def test_refusals_say_it(key: Key, short: str, actor: Actor) -> None:
    with pytest.raises(LifecycleError, match=rf"^API key version 1 is active\..* {short}\.$"):
        lifecycle.retire_key(actor, key)
    text = open_material(key).decode("ascii")
    with pytest.raises(
        LifecycleError, match=rf"API key version 1 of this flow already .* {short}\.$"
    ):
        lifecycle.import_text(actor, key.flow, "api_key", text)


def test_the_command_line_says_it(key: Key, short: str) -> None:
    out = StringIO()
    call_command("key", "list", stdout=out)
    assert short in out.getvalue()
    name = "citcall/partner01/api_key/1"
    with pytest.raises(
        CommandError, match=rf"^API key version 1 is active.* Fingerprint: {short}\.$"
    ):
        call_command("key", "retire", name)
    with pytest.raises(CommandError, match=rf"has no public half\. Fingerprint: {short}\.$"):
        call_command("key", "export-public", name)
    out = StringIO()
    call_command("key", "list", "--json", stdout=out)
    assert key.fingerprint in {row["fingerprint"] for row in json.loads(out.getvalue())["keys"]}


def test_the_log_of_a_request_says_which_keys_opened_it(
    make_flow: Make, caplog: pytest.LogCaptureFixture
) -> None:
    issued = make_flow("whatsapp_flows", address="partner01")
    token = issued.credentials["verify_token"]
    query = {"hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": "1"}
    with caplog.at_level(logging.INFO):
        assert Browser().get("/whatsapp/webhook/partner01", query).status_code == 200
    key = issued.flow.keys.get(purpose="verify_token")
    (line,) = [record for record in caplog.records if record.name == "sealgate.exchange"]
    assert line.__dict__["keys"] == f"verify_token v1 ({key.short_fingerprint})"
    assert token not in caplog.text


def test_what_cannot_be_opened_is_named(key: Key, short: str) -> None:
    Key.objects.filter(pk=key.pk).update(material=bytes(key.material)[:-1] + b"\0")
    wanted = rf"^not_authentic: api_key v1 \({short}\) of citcall partner01: The stored secret"
    with pytest.raises(AtRestError, match=wanted):
        keyring.by_flow_id(str(key.flow_id))
    report = master_rotation.rotate(Actor(name="tester"))
    (unreadable,) = report.unreadable
    assert (unreadable.row, unreadable.name) == (str(key.pk), f"{key} of citcall partner01")


def test_the_log_says_which_key_cannot_be_opened(
    make_flow: Make, caplog: pytest.LogCaptureFixture
) -> None:
    key = make_flow("whatsapp_flows", address="partner01").flow.keys.get(purpose="app_secret")
    Key.objects.filter(pk=key.pk).update(material=bytes(key.material)[:-1] + b"\0")
    with caplog.at_level(logging.ERROR):
        Browser().get("/whatsapp/webhook/partner01", {"hub.mode": "subscribe"})
    said = [record.getMessage() for record in caplog.records]
    assert any(f"{key} of whatsapp_flows partner01: The stored secret" in text for text in said)


def test_the_exchange_log_leads_to_the_keys(
    administrator: Browser, key: Key, short: str, caplog: pytest.LogCaptureFixture
) -> None:
    row = ExchangeRow.objects.create(
        at=timezone.now(),
        request_id="request-0123456789",
        flow=key.flow,
        scheme="citcall",
        operation="asynccall",
        outcome="ok",
        http_status=200,
        key_versions="api_key v1, api_key v7",
        milliseconds=1.0,
        request_size=10,
    )
    link = f'href="{reverse("admin:tenants_key_change", args=[key.pk])}"'
    page = reverse("admin:flows_endpoint_exchangerow_change", args=[row.pk])
    assert f"{link}>api_key v1 ({short})</a>" in administrator.get(page).content.decode()
    # In the list there is room for the number alone.
    listed = reverse("admin:flows_endpoint_exchangerow_changelist")
    words = f'{link} title="api_key v1 ({short})" aria-label="API key version 1">v1</a>'
    assert words in administrator.get(listed).content.decode()
