"""Messages that open a form, and texts: for backends, commands and the admin."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction

from callbacks.models import Delivery
from flows_endpoint.whatsapp_flows import messages
from flows_endpoint.whatsapp_flows.cloud.accounts import NotConfiguredError
from flows_endpoint.whatsapp_flows.cloud.bodies import MessageError
from flows_endpoint.whatsapp_flows.cloud.recipients import RecipientError
from flows_endpoint.whatsapp_flows.models import FlowSession, WhatsappMessage
from tenants.keyring import FlowSnapshot, keyring
from tests.cloud_api import CloudApi
from tests.flows_endpoint.whatsapp_flows.cloud.conftest import MakeSender
from tests.flows_endpoint.whatsapp_flows.cloud.steps import USER, message, run
from tests.flows_endpoint.whatsapp_flows.platform import Phone

pytestmark = pytest.mark.django_db


def snapshot(phone: Phone) -> FlowSnapshot:
    found = keyring.by_flow_id(str(phone.flow.pk))
    assert found is not None
    return found


def test_the_form_is_opened_by_the_endpoint(sender: Phone, cloud: CloudApi) -> None:
    with transaction.atomic():
        started = messages.send_flow(snapshot(sender), "+1 555 000 1111")
    run()
    (taken,) = cloud.messages
    assert taken.body["interactive"] == {
        "type": "flow",
        "body": {"text": "Book your appointment."},
        "action": {
            "name": "flow",
            "parameters": {
                "flow_message_version": "3",
                "flow_id": "200000000000002",
                "flow_cta": "Book",
                "flow_token": started.flow_token,
                "flow_action": "data_exchange",
            },
        },
    }
    assert (message().kind, message().state, message().session) == (
        "flow",
        "accepted",
        started.session,
    )


def test_or_at_its_first_screen(make_sender: MakeSender, cloud: CloudApi) -> None:
    phone = make_sender(options={"first_screen": "FIRST"})
    for data in ({"name": "Zoë"}, None):
        with transaction.atomic():
            messages.send_flow(snapshot(phone), USER, data=data)
        run()
    payloads = [
        taken.body["interactive"]["action"]["parameters"]["flow_action_payload"]
        for taken in cloud.messages
    ]
    assert payloads == [{"screen": "FIRST", "data": {"name": "Zoë"}}, {"screen": "FIRST"}]


def test_nobody_can_guess_a_token(sender: Phone) -> None:
    with transaction.atomic():
        tokens = {messages.send_flow(snapshot(sender), USER).flow_token for _ in range(50)}
    assert len(tokens) == 50
    assert all(len(token) == 43 for token in tokens)
    assert FlowSession.objects.count() == 50


@pytest.mark.parametrize(
    ("options", "to", "data", "error", "what"),
    [
        ({}, "nobody", None, RecipientError, "country code"),
        ({"meta_flow_id": ""}, USER, None, MessageError, "flow's id at Meta"),
        ({"flow_message": " "}, USER, None, MessageError, "text of the opening message"),
        ({"phone_number_id": ""}, USER, None, NotConfiguredError, "phone number id"),
        ({}, USER, {"a": 1}, MessageError, "first screen"),
    ],
)
def test_what_is_missing_is_said_and_nothing_written(
    make_sender: MakeSender,
    cloud: CloudApi,
    options: Any,
    to: str,
    data: Any,
    error: type[Exception],
    what: str,
) -> None:
    phone = make_sender(options=options)
    with pytest.raises(error, match=what), transaction.atomic():
        messages.send_flow(snapshot(phone), to, data=data)
    assert not FlowSession.objects.exists()
    assert not WhatsappMessage.objects.exists()
    assert not Delivery.objects.exists()


def test_a_text_goes_once_for_an_occasion(sender: Phone, cloud: CloudApi) -> None:
    with transaction.atomic():
        first = messages.send_text(snapshot(sender), USER, "Shipped.", once="order-7")
        assert messages.send_text(snapshot(sender), USER, "Shipped!", once="order-7") is None
        assert messages.send_text(snapshot(sender), USER, "Again.") is not None
        assert messages.send_text(snapshot(sender), USER, "Again.") is not None
    assert first is not None
    for _ in range(3):
        run()
    sent = [taken.body["text"]["body"] for taken in cloud.messages]
    assert sent == ["Shipped.", "Again.", "Again."]


@pytest.mark.parametrize("text", ["", " \n", "x" * 4097])
def test_a_text_that_cannot_be_sent_is_refused(sender: Phone, text: str) -> None:
    with pytest.raises(MessageError), transaction.atomic():
        messages.send_text(snapshot(sender), USER, text)
    assert not WhatsappMessage.objects.exists()


def test_messages_of_one_user_share_a_lane(sender: Phone) -> None:
    with transaction.atomic():
        for to in (USER, USER, "15550002222", "US.1349"):
            messages.send_text(snapshot(sender), to, "Hello.")
    rows = Delivery.objects.order_by("created_at")
    lanes = [row.lane for row in rows]
    assert len(set(lanes)) == 3
    assert lanes[0] == lanes[1]
    assert USER not in "".join(lanes)


def test_what_is_undone_is_not_sent(sender: Phone, cloud: CloudApi) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        messages.send_flow(snapshot(sender), USER)
        raise ZeroDivisionError
    run()
    assert cloud.seen == []
