"""How a call says who it is: by a key of the flow, and never without it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from callbacks import sender
from callbacks.channels import Message, Result
from callbacks.models import Delivery
from callbacks.validators import validate_auth_name
from tenants import lifecycle
from tenants.actors import Actor
from tenants.lifecycle import IssuedFlow
from tenants.models import Flow
from tests.callbacks.outbox import change, put, set_up
from tests.support.receiver import Receiver

Make = Callable[..., IssuedFlow]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("outbound")]
SECRET = "s3cr3t: with, all sorts"
PAIR = base64.b64encode(f"bank:{SECRET}".encode()).decode()


@pytest.fixture
def flow(make_flow: Make, receiver: Receiver) -> Flow:
    return make_flow("citcall", callback_url=receiver.url).flow


def attempt(delivery: Delivery) -> Result:
    claimed = change(delivery)
    prepared = sender.prepare(claimed)
    return sender.post(claimed, prepared)[0] if isinstance(prepared, Message) else prepared


@pytest.mark.parametrize(
    ("auth", "name", "header", "value"),
    [
        ("basic", "bank", "authorization", f"Basic {PAIR}"),
        ("bearer", "", "authorization", f"Bearer {SECRET}"),
        ("header", "X-Api-Key", "x-api-key", SECRET),
    ],
)
def test_the_header_goes_out_with_the_active_secret(
    flow: Flow, actor: Actor, receiver: Receiver, auth: str, name: str, header: str, value: str
) -> None:
    set_up(flow, auth=auth, auth_name=name)
    delivery = put(flow)
    assert attempt(delivery) == Result(error="no_usable_key")
    assert receiver.requests == []
    lifecycle.import_text(actor, flow, "callback_auth", SECRET)
    assert attempt(delivery) == Result(status=200)
    (request,) = receiver.requests
    assert request.headers[header] == value
    assert request.headers["webhook-signature"].startswith("v1,")


def test_none_asks_for_no_secret(flow: Flow, actor: Actor, receiver: Receiver) -> None:
    lifecycle.generate_key(actor, flow, "callback_auth")
    assert attempt(put(flow)) == Result(status=200)
    assert "authorization" not in receiver.requests[0].headers


def test_the_new_secret_goes_out_from_its_promotion_on(
    flow: Flow, actor: Actor, receiver: Receiver
) -> None:
    set_up(flow, auth="bearer")
    old = lifecycle.generate_key(actor, flow, "callback_auth").secret
    staged = lifecycle.generate_key(actor, flow, "callback_auth")
    attempt(put(flow))
    lifecycle.promote_key(actor, staged.key, overlap=timedelta(days=1))
    attempt(put(flow))
    sent = [request.headers["authorization"] for request in receiver.requests]
    assert sent == [f"Bearer {old}", f"Bearer {staged.secret}"]


def test_the_endpoints_header_stands_before_the_contracts(
    make_flow: Make, actor: Actor, receiver: Receiver
) -> None:
    options = {"callback_username": "bank"}
    flow = make_flow("kairos", options=options, callback_url=receiver.url).flow
    lifecycle.import_key(actor, flow, "callback_basic_password", b"pass-word-1")
    set_up(flow, auth="bearer")
    own = lifecycle.generate_key(actor, flow, "callback_auth").secret
    assert attempt(put(flow)) == Result(status=200)
    assert receiver.requests[0].headers["authorization"] == f"Bearer {own}"


def test_no_flow_is_made_with_one(flow: Flow) -> None:
    assert not flow.keys.filter(purpose="callback_auth").exists()


@pytest.mark.parametrize("auth", ["basic", "header"])
def test_a_name_is_needed_where_there_is_one(flow: Flow, auth: str) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        set_up(flow, auth=auth)


@pytest.mark.parametrize(
    "name", ["", "a b", "a:b", "ä", "x\n", "Host", "webhook-signature", "Content-Length", "\x00"]
)
def test_names_that_cannot_be_sent_are_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        validate_auth_name(name)


@pytest.mark.parametrize("name", ["bank", "X-Api-Key", "user@example.com", "Authorization"])
def test_names_that_can_are_taken(name: str) -> None:
    validate_auth_name(name)
