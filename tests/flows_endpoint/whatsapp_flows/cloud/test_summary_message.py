"""The summary after SUCCESS: to whom, when, once, and never with more in clear than it needs."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from django.db import connection

from callbacks.models import Delivery
from flows_endpoint.whatsapp_flows.models import FlowSession, StepReply, WhatsappMessage
from tests.cloud_api import CloudApi, webhooks
from tests.flows_endpoint.whatsapp_flows import backends
from tests.flows_endpoint.whatsapp_flows.cloud.conftest import NUMBER_ID, TOKEN, MakeSender
from tests.flows_endpoint.whatsapp_flows.cloud.steps import (
    USER,
    arrive,
    end,
    events,
    finish,
    known_of_session,
    message,
    run,
    session,
)
from tests.flows_endpoint.whatsapp_flows.platform import Phone, opened_json

pytestmark = pytest.mark.django_db
TEMPLATE = "Thank you {name}, see you on {date}.{gone}"
TEXT = "Thank you Zoë, see you on 2026-01-05."


@pytest.fixture(params=[backends.ATOMIC, backends.REMOTE], ids=["atomic", "remote"])
def make(request: pytest.FixtureRequest, make_sender: MakeSender) -> MakeSender:
    """Make a flow that ends at its first step: ``make(answer, options={…})``."""
    path: str = request.param

    def build(answer: Any = None, **more: Any) -> Phone:
        said = end() if answer is None else answer
        backends.AtomicBackend.script = staticmethod(lambda _: said)
        backends.AtomicBackend.calls.clear()
        options = {"summary_template": TEMPLATE, **more.pop("options", {})}
        return make_sender(backend="python", backend_class=path, options=options, **more)

    return build


def test_the_service_says_who_gets_it(make: MakeSender, cloud: CloudApi) -> None:
    phone = make(end(summary_to="+1 555 000-1111"))
    # What the phone sees is without it.
    assert finish(phone).value == end()
    assert cloud.seen == []
    run()
    (taken,) = cloud.messages
    row = message()
    assert taken.body == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": USER,
        "biz_opaque_callback_data": str(row.pk),
        "type": "text",
        "text": {"preview_url": False, "body": TEXT},
    }
    assert (cloud.seen[0].path, cloud.seen[0].token) == (f"/v25.0/{NUMBER_ID}/messages", TOKEN)
    assert (row.kind, row.state, row.recipient_tail) == ("summary", "accepted", "1111")
    assert row.accepted_at is not None
    assert opened_json(row) == {"recipient": USER, "wamid": taken.wamid}
    assert row.session == session()
    delivery = Delivery.objects.get()
    assert (delivery.channel, delivery.event, delivery.state) == (
        "whatsapp",
        "whatsapp.summary",
        "delivered",
    )
    assert len(delivery.lane) == 64


def test_a_repeated_success_sends_one(make: MakeSender, cloud: CloudApi) -> None:
    phone = make(end(summary_to=USER))
    sealed = phone.seal(
        {"version": "3.0", "action": "data_exchange", "screen": "L", "flow_token": "t", "data": {}}
    )
    assert phone.post(sealed.body).status_code == 200
    # The retry button, the very same bytes, other data, and when the first reply is forgotten.
    assert phone.step("L", {}, token="t").status == 200
    assert phone.post(sealed.body).status_code == 200
    assert phone.step("L", {"other": 1}, token="t").status == 200
    StepReply.objects.all().delete()
    assert phone.step("L", {}, token="t").status == 200
    run()
    run()
    assert len(cloud.messages) == 1
    assert WhatsappMessage.objects.count() == FlowSession.objects.count() == 1


def test_two_users_get_one_each(make: MakeSender, cloud: CloudApi) -> None:
    phone = make(end(summary_to=USER))
    finish(phone, "a")
    finish(phone, "b")
    for _ in range(2):  # one after the other: it is the same number
        run()
    assert len(cloud.messages) == 2


def test_without_a_recipient_it_waits_for_the_users_message(
    make: MakeSender, cloud: CloudApi
) -> None:
    phone = make()
    finish(phone, "ft-9")
    run()
    assert cloud.messages == []
    assert known_of_session().summary == TEXT
    arrive(phone, webhooks.form_reply({"flow_token": "ft-9"}, sender=USER))
    run()
    (taken,) = cloud.messages
    assert (taken.to, taken.body["text"]["body"]) == (USER, TEXT)
    assert session().recipient_tail == "1111"
    assert session().succeeded_at is not None
    assert session().replied_at is not None


def test_a_user_without_a_number_gets_it_too(make: MakeSender, cloud: CloudApi) -> None:
    phone = make()
    finish(phone, "ft-9")
    arrive(phone, webhooks.form_reply({"flow_token": "ft-9"}, sender="US.13491208655302741918"))
    run()
    (taken,) = cloud.messages
    assert taken.body["recipient"] == "US.13491208655302741918"
    assert "to" not in taken.body


def test_who_is_known_is_not_replaced_by_who_wrote(make: MakeSender, cloud: CloudApi) -> None:
    phone = make(end(summary_to=USER))
    finish(phone, "ft-9")
    arrive(phone, webhooks.form_reply({"flow_token": "ft-9"}, sender="15550009999"))
    run()
    assert [taken.to for taken in cloud.messages] == [USER]


@pytest.mark.parametrize("token", [None, "", "unused"])
def test_a_token_that_names_nobody_needs_the_service_to_say_who(
    make: MakeSender, cloud: CloudApi, token: str | None
) -> None:
    phone = make(end(summary_to=USER))
    payload = {"version": "3.0", "action": "data_exchange", "screen": "L", "data": {}}
    sealed = phone.seal(payload if token is None else payload | {"flow_token": token})
    for _ in range(3):  # a recorded request sends nothing again
        assert phone.post(sealed.body).status_code == 200
    run()
    assert [taken.to for taken in cloud.messages] == [USER]
    assert not FlowSession.objects.exists()
    assert message().session is None


@pytest.mark.parametrize(
    ("options", "answer"),
    [
        ({"summary_template": ""}, end(summary_to=USER)),
        ({"summary_template": "{gone} \n"}, end(summary_to=USER)),
        ({"phone_number_id": ""}, end(summary_to=USER)),
        ({}, {"screen": "NEXT", "data": {}, "summary_to": USER}),
    ],
    ids=["no template", "an empty text", "no number", "not the end"],
)
def test_nothing_is_sent(
    make: MakeSender, cloud: CloudApi, options: dict[str, Any], answer: Any
) -> None:
    phone = make(answer, options=options)
    assert finish(phone).status == 200
    run()
    assert cloud.messages == []
    assert not WhatsappMessage.objects.exists()


@pytest.mark.parametrize("said", ["nobody", "", None, 5, ["15550001111"], {"to": 1}, "x" * 5000])
def test_a_recipient_that_is_none_does_not_cost_the_user_the_form(
    make: MakeSender, cloud: CloudApi, caplog: pytest.LogCaptureFixture, said: Any
) -> None:
    phone = make(end(summary_to=said))
    with caplog.at_level(logging.WARNING):
        assert finish(phone).value == end()
    run()
    assert cloud.messages == []
    assert "summary_to of the answer is no recipient" in caplog.text
    assert len(str(said)) < 6 or str(said) not in caplog.text


def test_a_template_cannot_reach_beyond_its_params(make: MakeSender, cloud: CloudApi) -> None:
    hostile = {"name": "{date} {0.__class__} %(x)s \u202e\x00", "date": "d" * 5000}
    phone = make(end(hostile, summary_to=USER))
    finish(phone)
    run()
    text = cloud.messages[0].body["text"]["body"]
    assert text == "Thank you {date} {0.__class__} %(x)s , see you on " + "d" * 1000 + "."


def test_the_summary_stands_in_the_callback_too(make: MakeSender, cloud: CloudApi) -> None:
    phone = make(end(summary_to=USER), callback_url="https://partner.example/callback")
    finish(phone)
    (event,) = events()
    assert (event["event"], event["summary"]) == ("flow.completed", TEXT)
    assert "summary_to" not in json.dumps(event)


def test_a_form_whose_transaction_is_undone_sends_nothing(
    make_sender: MakeSender, cloud: CloudApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    backends.AtomicBackend.script = staticmethod(lambda _: end(summary_to=USER))
    phone = make_sender(
        backend="python", backend_class=backends.ATOMIC, options={"summary_template": TEMPLATE}
    )
    monkeypatch.setattr("flows_endpoint.whatsapp_flows.sealings.is_first", fail)
    assert finish(phone).status == 500
    run()
    assert cloud.messages == []
    assert not FlowSession.objects.exists()
    assert not WhatsappMessage.objects.exists()


def test_nobody_s_number_stands_in_clear(make: MakeSender, cloud: CloudApi) -> None:
    phone = make(end(summary_to=USER))
    finish(phone)
    run()
    wamid = cloud.messages[0].wamid
    arrive(phone, webhooks.status(wamid, "delivered", to=USER))
    arrive(phone, webhooks.form_reply({"flow_token": "ft-0001"}, sender=USER))
    tables = [model._meta.db_table for model in (WhatsappMessage, FlowSession, Delivery)] + [
        "whatsapp_flows_webhookupdate"
    ]
    for table in tables:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM {table}")
            rows = cursor.fetchall()
        assert rows
        text = " ".join(
            bytes(value).decode("latin-1") if isinstance(value, bytes | memoryview) else str(value)
            for row in rows
            for value in row
        )
        for secret in (USER, USER[:-4], wamid, "Zoë", "ft-0001", TOKEN):
            assert secret not in text, table
