"""The completed form as a message: it finds its session, once, and opens the window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from flows_endpoint.whatsapp_flows import messages, sessions
from flows_endpoint.whatsapp_flows.messages import Started
from flows_endpoint.whatsapp_flows.models import FlowSession, WebhookUpdate, WhatsappMessage
from tenants import lifecycle
from tenants.actors import Actor
from tenants.keyring import keyring
from tenants.lifecycle import IssuedFlow
from tests.cloud_api import CloudApi, webhooks
from tests.flows_endpoint.whatsapp_flows import backends
from tests.flows_endpoint.whatsapp_flows.cloud.conftest import MakeSender
from tests.flows_endpoint.whatsapp_flows.cloud.steps import (
    USER,
    arrive,
    end,
    events,
    finish,
    known_of_session,
    run,
    session,
)
from tests.flows_endpoint.whatsapp_flows.platform import Phone

pytestmark = pytest.mark.django_db
CALLBACK = "https://partner.example/callback"


@pytest.fixture
def phone(make_sender: MakeSender) -> Phone:
    """A flow whose endpoint ends a form at once, with a summary."""
    backends.AtomicBackend.script = staticmethod(lambda _: end())
    return make_sender(
        backend="python",
        backend_class=backends.ATOMIC,
        options={"summary_template": "Thank you {name}."},
        callback_url=CALLBACK,
    )


def open_form(phone: Phone, to: str = USER) -> Started:
    """Send the message that opens the form and have it accepted."""
    flow = keyring.by_flow_id(str(phone.flow.pk))
    assert flow is not None
    with transaction.atomic():
        started = messages.send_flow(flow, to)
    run()
    return started


def kinds() -> list[tuple[str, str]]:
    return list(WhatsappMessage.objects.order_by("created_at").values_list("kind", "state"))


def test_the_whole_way(phone: Phone, cloud: CloudApi) -> None:
    cloud.keeps_window = True
    cloud.heard_from(USER)
    started = open_form(phone)
    finish(phone, started.flow_token)
    run()
    opening, summary = cloud.messages
    token = opening.body["interactive"]["action"]["parameters"]["flow_token"]
    assert token == started.flow_token
    assert summary.body["text"]["body"] == "Thank you Zoë."
    arrive(phone, webhooks.form_reply({"flow_token": token}, context_id=opening.wamid))
    run()
    assert len(cloud.messages) == 2
    assert FlowSession.objects.count() == 1
    assert session().replied_at is not None
    # The endpoint ended the form: it was announced as completed, and not once more.
    assert [event["event"] for event in events()] == ["flow.completed"]


@pytest.mark.parametrize("params", [{"name": "Zoë"}, {"flow_token": "unused"}, "[]", "nonsense"])
def test_without_a_token_it_is_found_by_what_it_answers(
    phone: Phone, cloud: CloudApi, params: Any
) -> None:
    open_form(phone)
    arrive(phone, webhooks.form_reply(params, context_id=cloud.messages[0].wamid))
    assert session().replied_at is not None


def test_a_form_the_endpoint_did_not_end_is_announced(phone: Phone, cloud: CloudApi) -> None:
    started = open_form(phone)
    params = {"flow_token": started.flow_token, "name": "Zoë"}
    change = webhooks.form_reply(params, sender=USER)
    arrive(phone, change)
    arrive(phone, change, at=1767349000)  # once more, in another delivery
    (event,) = events()
    assert event.pop("replied_at").endswith("Z")
    assert event == {
        "event": "flow.replied",
        "flow_token": started.flow_token,
        "from": USER,
        "params": params,
    }
    assert WebhookUpdate.objects.count() == 2


def test_a_form_somebody_else_opened_is_announced_once(phone: Phone) -> None:
    change = webhooks.form_reply({"flow_token": "theirs"}, sender=USER)
    for at in (1767349000, 1767349001):
        arrive(phone, change, at=at)
    assert [event["flow_token"] for event in events()] == ["theirs"]
    assert known_of_session().recipient == USER
    assert session().recipient_tail == "1111"


def test_one_that_names_nothing_is_announced_once(phone: Phone) -> None:
    change = webhooks.form_reply({"name": "Zoë"}, wamid="wamid.R")
    for at in (1767349000, 1767349001):
        arrive(phone, change, at=at)
    assert [(event["flow_token"], event["params"]) for event in events()] == [
        (None, {"name": "Zoë"})
    ]


def test_another_flow_of_the_client_may_bring_it(
    phone: Phone, make_sender: MakeSender, cloud: CloudApi
) -> None:
    started = open_form(phone)
    sibling = make_sender()
    arrive(sibling, webhooks.form_reply({"flow_token": started.flow_token}))
    assert session().replied_at is not None
    assert session().flow_id == phone.flow.pk
    FlowSession.objects.update(replied_at=None)
    arrive(sibling, webhooks.form_reply({}, context_id=cloud.messages[0].wamid))
    assert session().replied_at is not None


def test_of_two_forms_under_one_token_the_one_still_waited_for(
    phone: Phone, make_sender: MakeSender
) -> None:
    sibling = make_sender(
        backend="python",
        backend_class=backends.ATOMIC,
        options={"summary_template": "Thank you {name}."},
    )
    finish(phone, "order-1")
    arrive(phone, webhooks.form_reply({"flow_token": "order-1"}))
    finish(sibling, "order-1")
    arrive(phone, webhooks.form_reply({"flow_token": "order-1"}))
    assert FlowSession.objects.count() == 2
    assert not FlowSession.objects.filter(replied_at=None).exists()


def test_another_client_s_session_is_out_of_reach(
    phone: Phone, cloud: CloudApi, actor: Actor, make_flow: Callable[..., IssuedFlow]
) -> None:
    started = open_form(phone)
    other = lifecycle.create_client(actor, slug="other")
    stranger = Phone(phone.http, lifecycle.create_flow(actor, other, "whatsapp_flows"))
    wamid = cloud.messages[0].wamid
    arrive(stranger, webhooks.form_reply({"flow_token": started.flow_token}))
    arrive(stranger, webhooks.form_reply({}, context_id=wamid))
    assert FlowSession.objects.get(flow=phone.flow).replied_at is None


def test_another_message_of_the_user_is_no_form(phone: Phone) -> None:
    arrive(phone, webhooks.text_message("Hello", sender=USER))
    assert not FlowSession.objects.exists()
    assert events() == []


@pytest.mark.parametrize(
    ("sender", "contact", "known"),
    [
        (USER, {}, USER),
        (None, {"wa_id": USER}, USER),
        (None, {"user_id": "US.1349"}, "US.1349"),
        ("nonsense", {}, ""),
        (None, {}, ""),
    ],
)
def test_who_wrote_it(phone: Phone, sender: str | None, contact: Any, known: str) -> None:
    change = webhooks.form_reply({"flow_token": "t"})
    value = change["value"]
    value["contacts"] = [contact]
    value["messages"][0]["from"] = sender
    arrive(phone, change)
    assert known_of_session().recipient == known


# --- the 24-hour window ----------------------------------------------------------------------


def test_a_summary_that_came_too_early_is_sent_again_when_the_form_arrives(
    phone: Phone, cloud: CloudApi
) -> None:
    started = open_form(phone)
    cloud.keeps_window = True
    finish(phone, started.flow_token)
    run()
    assert kinds() == [("flow", "accepted"), ("summary", "failed")]
    cloud.heard_from(USER)
    change = webhooks.form_reply({"flow_token": started.flow_token})
    arrive(phone, change)
    run()
    assert kinds()[1:] == [("summary", "failed"), ("summary", "accepted")]
    arrive(phone, change, at=1767349000)
    run()
    assert len(kinds()) == 3


def test_the_refusal_may_be_told_after_the_form_arrived(phone: Phone, cloud: CloudApi) -> None:
    started = open_form(phone)
    finish(phone, started.flow_token)
    run()
    arrive(phone, webhooks.form_reply({"flow_token": started.flow_token}))
    refused = webhooks.status(cloud.messages[1].wamid, "failed", code=131047)
    for at in (1767349000, 1767349001):
        arrive(phone, refused, at=at)
    run()
    assert kinds()[1:] == [("summary", "failed"), ("summary", "accepted")]
    assert [taken.body["text"]["body"] for taken in cloud.messages[1:]] == ["Thank you Zoë."] * 2


def test_it_is_sent_again_once_and_for_this_reason_only(phone: Phone, cloud: CloudApi) -> None:
    cloud.fail(131047, times=2, to=USER)
    finish(phone, "a")
    arrive(phone, webhooks.form_reply({"flow_token": "a"}, sender=USER))
    run()
    run()
    assert kinds() == [("summary", "failed"), ("summary", "failed")]
    cloud.fail(131026, to="15550002222")
    finish(phone, "b")
    arrive(phone, webhooks.form_reply({"flow_token": "b"}, sender="15550002222"))
    run()
    assert len(kinds()) == 3
    assert cloud.messages == []


def test_a_summary_needs_text_recipient_and_success(phone: Phone, cloud: CloudApi) -> None:
    started = open_form(phone)
    arrive(phone, webhooks.form_reply({"flow_token": started.flow_token}))
    run()
    assert kinds() == [("flow", "accepted")]
    finish(phone, started.flow_token)
    run()
    assert kinds() == [("flow", "accepted"), ("summary", "accepted")]
    assert sessions.known(session()).recipient == USER
