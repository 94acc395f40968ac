"""``manage.py whatsapp``: what the admin does, one JSON object each, or a plain refusal."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from flows_endpoint.whatsapp_flows import alerts, health, media
from flows_endpoint.whatsapp_flows.models import (
    AlertSource,
    FlowSession,
    MediaFile,
    PhoneKey,
    WhatsappMessage,
)
from tenants import lifecycle
from tenants.actors import Actor
from tenants.models import AuditEntry
from tests.cloud_api import CloudApi
from tests.flows_endpoint.whatsapp_flows.cloud.conftest import (
    NUMBER_ID,
    PICTURE,
    MakeSender,
    entry,
)
from tests.flows_endpoint.whatsapp_flows.cloud.steps import USER, run
from tests.flows_endpoint.whatsapp_flows.platform import Phone
from tests.support.receiver import Receiver, Reply

pytestmark = pytest.mark.django_db


def shell(*arguments: str) -> str:
    out = io.StringIO()
    call_command("whatsapp", *arguments, stdout=out)
    return out.getvalue()


def told(*arguments: str) -> Any:
    return json.loads(shell(*arguments, "--json"))


def name(phone: Phone) -> str:
    return f"whatsapp_flows/{phone.flow.address}"


def test_a_form_is_sent(sender: Phone, cloud: CloudApi) -> None:
    report = told("send-flow", name(sender), "--to", "+1 555 000 1111")
    assert (report["kind"], report["state"], report["recipient"]) == ("flow", "queued", "…1111")
    run()
    (taken,) = cloud.messages
    token = taken.body["interactive"]["action"]["parameters"]["flow_token"]
    assert token == report["flow_token"]
    assert AuditEntry.objects.latest("pk").actor.startswith("shell:")
    listed = told("messages", "--flow", str(sender.flow.pk), "--state", "accepted")
    assert [row["id"] for row in listed["messages"]] == [report["id"]]
    assert told("messages", "--state", "failed") == {"messages": []}
    shown = shell("messages") + json.dumps(listed)
    assert "…1111" in shown
    for secret in (USER, USER[:-4], taken.wamid):
        assert secret not in shown


def test_the_recipient_may_come_on_standard_input(
    sender: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{USER}\nmore"))
    assert "…1111 is queued" in shell("send-flow", name(sender))


def test_data_fills_the_first_screen(make_sender: MakeSender, cloud: CloudApi) -> None:
    phone = make_sender(options={"first_screen": "FIRST"})
    told("send-flow", name(phone), "--to", USER, "--data", '{"a":1}')
    run()
    parameters = cloud.messages[0].body["interactive"]["action"]["parameters"]
    assert parameters["flow_action_payload"] == {"screen": "FIRST", "data": {"a": 1}}


def test_keys_are_uploaded_and_checked(sender: Phone, cloud: CloudApi, actor: Actor) -> None:
    assert told("upload-public-key", name(sender))["verdict"] == "active"
    new = lifecycle.generate_key(actor, sender.flow, "whatsapp_rsa")
    report = told("upload-public-key", name(sender), "--version-number", "2")
    assert (report["verdict"], report["fingerprint"]) == ("staged", new.key.fingerprint)
    cloud.signature_status[NUMBER_ID] = "MISMATCH"
    assert told("check-public-key", name(sender))["verdict"] == "mismatch"
    assert "Signature mismatch" in shell("check-public-key", name(sender))


def test_the_status_gathers_it(sender: Phone, cloud: CloudApi) -> None:
    assert told("status", name(sender)) == {
        "flow": str(sender.flow.pk),
        "public_key": None,
        "health": None,
        "alerts": [],
    }
    told("upload-public-key", name(sender))
    sender.send({"version": "3.0", "action": "ping"})
    health.measure_all()
    alerts.raise_alert(
        str(sender.flow.pk),
        AlertSource.META,
        "ENDPOINT_LATENCY",
        at=timezone.now(),
        message="Slow.",
    )
    report = told("status", name(sender))
    assert report["public_key"]["verdict"] == "active"
    assert (report["health"]["requests"], report["health"]["level"]) == (1, 0)
    assert [alert["event"] for alert in report["alerts"]] == ["ENDPOINT_LATENCY"]
    shown = shell("status", name(sender))
    assert "The active version" in shown
    assert "0 of 1 failed" in shown
    assert "Slow." in shown


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["send-flow", "FLOW", "--to", "nobody"], "country code"),
        (["send-flow", "whatsapp_flows/none", "--to", USER], "no flow"),
        (["send-flow", "FLOW", "--to", USER, "--data", "[]"], "JSON object"),
        (["upload-public-key", "FLOW", "--version-number", "9"], "no whatsapp_rsa version 9"),
        (["messages", "--limit", "0"], "1 to 1000"),
        (["fetch-media", "x", "--out", "/nowhere/x"], "no such file"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_done(
    sender: Phone, cloud: CloudApi, arguments: list[str], what: str
) -> None:
    audited = AuditEntry.objects.count()
    with pytest.raises(CommandError, match=what):
        shell(*(name(sender) if part == "FLOW" else part for part in arguments))
    assert AuditEntry.objects.count() == audited
    assert cloud.seen == []
    for model in (WhatsappMessage, FlowSession, PhoneKey):
        assert not model._default_manager.exists()


def test_what_the_platform_refuses_is_said(sender: Phone, cloud: CloudApi) -> None:
    cloud.fail(10)
    with pytest.raises(CommandError, match="lacks a permission"):
        shell("upload-public-key", name(sender))


def test_a_flow_of_another_contract_has_none_of_it(
    make_flow: Any, cloud: CloudApi, actor: Actor
) -> None:
    flow = make_flow("citcall", address="p1").flow
    for verb in (["send-flow", "--to", USER], ["upload-public-key"], ["check-public-key"]):
        with pytest.raises(CommandError):
            shell(verb[0], f"citcall/{flow.address}", *verb[1:])
    assert cloud.seen == []


def test_an_attached_file_is_fetched(phone: Phone, cdn: Receiver, tmp_path: Path) -> None:
    payload = {"data": {"a": [entry(cdn)]}}
    media.offer(str(phone.flow.pk), payload, "r", timezone.now())
    row, out = MediaFile.objects.get(), tmp_path / "a.png"
    assert told("fetch-media", str(row.pk), "--out", str(out))["bytes"] == len(PICTURE)
    assert out.read_bytes() == PICTURE
    cdn.next(Reply(status=403))
    with pytest.raises(CommandError, match="http_403"):
        shell("fetch-media", str(row.pk), "--out", str(tmp_path / "b"))
    assert not (tmp_path / "b").exists()


def test_no_file_is_overwritten(phone: Phone, cdn: Receiver, tmp_path: Path) -> None:
    media.offer(str(phone.flow.pk), {"data": {"a": [entry(cdn)]}}, "r", timezone.now())
    out = tmp_path / "a.png"
    out.write_bytes(b"mine")
    with pytest.raises(CommandError, match="cannot be written"):
        shell("fetch-media", str(MediaFile.objects.get().pk), "--out", str(out))
    assert out.read_bytes() == b"mine"
