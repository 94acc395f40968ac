"""What becomes of a message by each answer of the platform, over the real outbox."""

from __future__ import annotations

import json
import logging
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from callbacks import operations, transport
from callbacks.channels import Result
from callbacks.models import Attempt, Delivery, Endpoint
from flows_endpoint.whatsapp_flows import messages
from flows_endpoint.whatsapp_flows.channel import CloudResult, WhatsappChannel
from flows_endpoint.whatsapp_flows.cloud import client
from flows_endpoint.whatsapp_flows.models import FlowAlert, WhatsappMessage
from tenants import at_rest, lifecycle
from tenants.actors import Actor
from tenants.keyring import FlowSnapshot, keyring
from tenants.models import Key
from tests.cloud_api import CloudApi, webhooks
from tests.flows_endpoint.whatsapp_flows.cloud.conftest import TOKEN, MakeSender
from tests.flows_endpoint.whatsapp_flows.cloud.steps import USER, arrive, events, message, run
from tests.flows_endpoint.whatsapp_flows.platform import Phone, opened_json
from tests.support.receiver import Receiver, Reply

pytestmark = pytest.mark.django_db


def snapshot(phone: Phone) -> FlowSnapshot:
    found = keyring.by_flow_id(str(phone.flow.pk))
    assert found is not None
    return found


def send(phone: Phone, to: str = USER, text: str = "Hello.") -> WhatsappMessage:
    with transaction.atomic():
        sent = messages.send_text(snapshot(phone), to, text)
    assert sent is not None
    return sent


def delivery() -> Delivery:
    return Delivery.objects.get(channel="whatsapp")


@pytest.mark.parametrize("code", [130429, 131057, 131016, 133004, 131000, 2, 4, 80007, 132069])
def test_what_passes_is_tried_again(sender: Phone, cloud: CloudApi, code: int) -> None:
    cloud.fail(code, times=2)
    send(sender)
    run()
    row = delivery()
    assert (row.state, row.last_error, row.step) == ("pending", f"cloud_{code}", 1)
    assert (message().state, message().code, message().error) == ("queued", code, f"cloud_{code}")
    run()
    run()
    assert (delivery().state, delivery().attempts) == ("delivered", 3)
    assert (message().state, message().code, message().error) == ("accepted", None, "")
    assert len(cloud.messages) == 1


def test_a_failure_of_the_platform_is_tried_again(sender: Phone, cloud: CloudApi) -> None:
    cloud.fail(999, status=502)
    send(sender)
    run()
    assert (delivery().state, delivery().last_error) == ("pending", "cloud_999")


@pytest.mark.parametrize(
    "code", [131047, 131026, 131048, 131049, 131050, 131062, 132068, 100, 131008, 131009]
)
def test_what_never_will_be_is_not(sender: Phone, cloud: CloudApi, code: int) -> None:
    cloud.fail(code, times=None)
    send(sender)
    for _ in range(3):
        run()
    assert (delivery().state, delivery().attempts) == ("failed", 1)
    row = message()
    assert (row.state, row.code, row.error) == ("failed", code, f"cloud_{code}")
    assert row.failed_at is not None
    assert len(cloud.seen) == 1


def test_a_pair_waits_longer_and_longer(sender: Phone, cloud: CloudApi) -> None:
    cloud.fail(131056, times=4)
    send(sender)
    waited = []
    for _ in range(4):
        before = timezone.now()
        run()
        next_attempt_at = delivery().next_attempt_at
        assert next_attempt_at is not None
        waited.append((next_attempt_at - before).total_seconds())
    assert [round(seconds) for seconds in waited] == [1, 4, 16, 64]
    run()
    assert message().state == "accepted"


def test_a_pair_begins_anew_after_another_failure(sender: Phone, cloud: CloudApi) -> None:
    for code in (131056, 131056, 131000, 131056):
        cloud.fail(code)
    send(sender)
    for _ in range(4):
        run()
    assert delivery().last_error == "cloud_131056 n=0"


@pytest.mark.parametrize("code", [190, 0, 10, 200, 299])
def test_a_refused_login_stops_the_way_and_tells_everybody(
    sender: Phone, cloud: CloudApi, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    cloud.fail(code, times=2)
    send(sender)
    with caplog.at_level(logging.ERROR):
        run()
    assert message().state == "queued"
    alert = FlowAlert.objects.get()
    assert (alert.source, alert.event) == ("sealgate", "CREDENTIALS_REFUSED")
    assert f"cloud_{code}" in alert.message
    assert "refuses the access token" in caplog.text
    assert TOKEN not in caplog.text
    assert events() == [{"event": "whatsapp.credentials_refused", "code": code}]
    # Told once, however many messages meet it.
    WhatsappChannel().settled(
        delivery(), CloudResult(error="cloud_190", code=190, is_refused_login=True)
    )
    assert FlowAlert.objects.count() == len(events()) == 1


def test_a_refused_login_disables_the_endpoint(sender: Phone, cloud: CloudApi) -> None:
    cloud.fail(190)
    answer = judged(sender)
    assert (answer.disables, answer.is_permanent, answer.error) == (True, False, "cloud_190")


def judged(phone: Phone) -> Result:
    """Return what the channel makes of the answer to a new message."""
    sent = send(phone)
    row = Delivery.objects.get(subject=str(sent.pk))
    prepared = WhatsappChannel().prepare(row, time.time())
    assert not isinstance(prepared, Result)
    answer = transport.shared.post(
        prepared.url,
        prepared.body,
        prepared.headers,
        limits=client.LIMITS,
        max_answer=client.MAX_ANSWER,
    )
    return WhatsappChannel().judge(row, answer)


def test_the_alert_ends_with_the_next_message_that_is_taken(sender: Phone, cloud: CloudApi) -> None:
    cloud.fail(190)
    send(sender)
    run()
    assert FlowAlert.objects.get().closed_at is None
    WhatsappChannel().settled(delivery(), CloudResult(status=200, wamid="wamid.A"))
    assert message().state == "accepted"
    assert FlowAlert.objects.get().closed_at is not None


def test_an_outage_is_told_from_a_refusal(sender: Phone, cloud: CloudApi) -> None:
    for code, is_outage in ((131000, True), (131016, True), (130429, False), (131056, False)):
        cloud.fail(code)
        result = judged(sender)
        assert (result.is_outage, result.disables) == (is_outage, False), code


def test_retry_after_is_honoured_where_waiting_helps(sender: Phone, settings: Any) -> None:
    body = json.dumps({"error": {"code": 4}}).encode()
    with Receiver() as receiver:
        receiver.default = Reply(status=429, body=body, headers={"Retry-After": "600"})
        settings.WHATSAPP_API_URL = receiver.url
        result = judged(sender)
    assert result.rest == timedelta(seconds=600)


def test_what_is_missing_is_waited_for(
    make_sender: MakeSender, cloud: CloudApi, actor: Actor
) -> None:
    phone = make_sender()
    send(phone)
    key = Key.objects.get(flow=phone.flow, purpose="access_token")
    lifecycle.revoke_key(actor, key, reason="leaked")
    run()
    assert delivery().last_error == "no_access_token"
    lifecycle.update_flow(actor, phone.flow, {"is_enabled": False})
    run()
    assert delivery().last_error == "flow_disabled"
    lifecycle.update_flow(actor, phone.flow, {"is_enabled": True})
    cloud.tokens = {"EAAG-the-next-token": {"106540352242922"}}
    lifecycle.import_text(actor, phone.flow, "access_token", "EAAG-the-next-token")
    run()
    assert message().state == "accepted"


def test_the_use_of_the_token_is_counted(sender: Phone, cloud: CloudApi) -> None:
    send(sender)
    run()
    key = Key.objects.get(flow=sender.flow, purpose="access_token")
    assert key.use_count == 1
    assert key.last_used_at is not None


def test_an_accepted_message_is_not_sent_again(sender: Phone, cloud: CloudApi) -> None:
    send(sender)
    run()
    again = WhatsappChannel().prepare(delivery(), time.time())
    assert isinstance(again, Result)
    assert again.is_delivered
    # A result without a new id changes nothing on the message.
    before = WhatsappMessage.objects.values().get()
    WhatsappChannel().settled(delivery(), again)
    assert WhatsappMessage.objects.values().get() == before


def test_a_message_whose_answer_was_lost_is_not_sent_again_once_a_status_tells_of_it(
    sender: Phone, settings: Any, cloud: CloudApi
) -> None:
    row = send(sender)
    with Receiver() as receiver:
        receiver.default = Reply(hang_up=True)
        settings.WHATSAPP_API_URL = receiver.url
        run()
        assert (delivery().state, delivery().last_error) == ("pending", "protocol")
        arrive(sender, webhooks.status("wamid.lost", "sent", opaque=str(row.pk)))
        run()
        assert len(receiver.requests) == 1
    assert (delivery().state, message().state) == ("delivered", "sent")
    arrive(sender, webhooks.status("wamid.lost", "read"))
    assert message().state == "read"


def test_a_message_that_failed_may_be_tried_again_by_hand(
    sender: Phone, cloud: CloudApi, actor: Actor
) -> None:
    cloud.fail(131026)
    send(sender)
    run()
    assert message().state == "failed"
    assert operations.retry(actor, [delivery().pk]) == 1
    run()
    assert (message().state, message().code) == ("accepted", None)


def test_one_that_failed_after_it_was_accepted_may_not(sender: Phone, cloud: CloudApi) -> None:
    send(sender)
    run()
    arrive(sender, webhooks.status(cloud.messages[0].wamid, "failed", code=131026))
    again = WhatsappChannel().prepare(delivery(), time.time())
    assert isinstance(again, Result)
    assert (again.error, again.is_permanent) == ("message_gone", True)
    assert (message().state, message().code) == ("failed", 131026)


@pytest.mark.parametrize("subject", ["", "x", "00000000-0000-0000-0000-000000000000"])
def test_a_delivery_without_its_message_ends(sender: Phone, cloud: CloudApi, subject: str) -> None:
    send(sender)
    Delivery.objects.update(subject=subject)
    run()
    assert (delivery().state, delivery().last_error) == ("failed", "message_gone")
    assert cloud.seen == []


def test_the_token_and_the_text_are_in_no_repr(sender: Phone, cloud: CloudApi) -> None:
    send(sender, text="secret text")
    prepared = WhatsappChannel().prepare(delivery(), 0)
    assert not isinstance(prepared, Result)
    shown = repr(prepared) + repr(CloudResult(wamid="wamid.X"))
    for secret in (TOKEN, "secret text", USER, "wamid.X"):
        assert secret not in shown
    assert "secret text" not in str(opened_json(delivery()))


# --- what the outbox makes of it


def test_messages_of_one_user_go_one_after_the_other(sender: Phone, cloud: CloudApi) -> None:
    cloud.fail(131056, to=USER)
    for text in ("first", "second", "third"):
        send(sender, text=text)
    send(sender, to="15550002222", text="another user's")
    run()
    # The first waits for the pair limit and the others of its user behind it; nobody else does.
    assert [taken.body["text"]["body"] for taken in cloud.messages] == ["another user's"]
    for _ in range(3):
        run()
    said = [taken.body["text"]["body"] for taken in cloud.messages if taken.to == USER]
    assert said == ["first", "second", "third"]


def test_after_a_refused_login_nothing_more_is_sent_over_this_way_alone(
    sender: Phone, cloud: CloudApi, actor: Actor
) -> None:
    cloud.fail(190)
    send(sender)
    run()
    endpoint = Endpoint.objects.get(flow=sender.flow, channel="whatsapp")
    assert endpoint.state == "disabled"
    assert Endpoint.objects.get(flow=sender.flow, channel="callback").state == "active"
    for number in range(3):
        send(sender, to=f"1555000222{number}")
        run()
    assert len(cloud.seen) == 1
    # Whoever enables it again finds all of them waiting.
    Endpoint.objects.filter(pk=endpoint.pk).update(state="active", ready_at=timezone.now())
    for _ in range(2):
        run()
    assert len(cloud.messages) == 4
    assert FlowAlert.objects.get().closed_at is not None


def test_what_is_kept_of_an_answer_does_not_spell_the_number(
    sender: Phone, cloud: CloudApi
) -> None:
    send(sender)
    run()
    kept = Attempt.objects.get(delivery=delivery())
    text = at_rest.open_sealed(kept.answer, kept.at_rest_context).decode()
    assert "messages" in text
    for secret in (USER, TOKEN):
        assert secret not in text
