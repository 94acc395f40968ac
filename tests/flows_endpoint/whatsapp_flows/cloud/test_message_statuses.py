"""Statuses move a message on, and never back: in any order, twice, late, or not ours."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import transaction

from flows_endpoint.whatsapp_flows import messages
from flows_endpoint.whatsapp_flows.models import WebhookUpdate, WhatsappMessage
from tenants import lifecycle
from tenants.actors import Actor
from tenants.keyring import keyring
from tenants.lifecycle import IssuedFlow
from tests.cloud_api import CloudApi, webhooks
from tests.flows_endpoint.whatsapp_flows.cloud.conftest import MakeSender
from tests.flows_endpoint.whatsapp_flows.cloud.steps import USER, arrive, message, run
from tests.flows_endpoint.whatsapp_flows.platform import Phone

pytestmark = pytest.mark.django_db
AT = {"sent": 1767348000, "delivered": 1767348002, "read": 1767348005, "failed": 1767348001}


@pytest.fixture
def wamid(sender: Phone, cloud: CloudApi) -> str:
    """The id of an accepted message."""
    flow = keyring.by_flow_id(str(sender.flow.pk))
    assert flow is not None
    with transaction.atomic():
        messages.send_text(flow, USER, "Hello.")
    run()
    return cloud.messages[0].wamid


def told(wamid: str, name: str, **more: Any) -> dict[str, Any]:
    return webhooks.status(wamid, name, at=AT.get(name), **more)


@pytest.mark.parametrize("order", list(itertools.permutations(["sent", "delivered", "read"])))
def test_in_any_order_it_ends_as_read(sender: Phone, wamid: str, order: tuple[str, ...]) -> None:
    ranks = ["accepted", "sent", "delivered", "read"]
    furthest = 0
    for name in order:
        for _ in range(2):
            arrive(sender, told(wamid, name))
        furthest = max(furthest, ranks.index(name))
        assert message().state == ranks[furthest]
    row = message()
    times = (row.sent_at, row.delivered_at, row.read_at)
    assert times == tuple(
        datetime.fromtimestamp(AT[name], UTC) for name in ("sent", "delivered", "read")
    )


@pytest.mark.parametrize(
    ("names", "state"),
    [
        (["sent", "failed"], "failed"),
        (["failed", "sent"], "failed"),
        (["failed", "delivered"], "delivered"),
        (["delivered", "failed"], "delivered"),
        (["read", "failed", "sent"], "read"),
    ],
)
def test_what_a_phone_received_has_not_failed(
    sender: Phone, wamid: str, names: list[str], state: str
) -> None:
    for name in names:
        arrive(sender, told(wamid, name, code=131026 if name == "failed" else None))
    row = message()
    assert row.state == state
    assert row.code == (131026 if state == "failed" else None)
    assert row.failed_at == datetime.fromtimestamp(AT["failed"], UTC)


def test_many_in_one_delivery(sender: Phone, wamid: str) -> None:
    arrive(sender, told(wamid, "read"), told(wamid, "sent"), told(wamid, "delivered"))
    assert message().state == "read"


def test_statuses_may_share_one_change(sender: Phone, wamid: str) -> None:
    change = told(wamid, "sent")
    change["value"]["statuses"] += told(wamid, "delivered")["value"]["statuses"]
    arrive(sender, change)
    assert message().state == "delivered"


@pytest.mark.parametrize(
    "status",
    [
        {"status": "deleted"},
        {"status": None},
        {"status": ["read"]},
        {"id": "wamid.other", "status": "read"},
        {"id": None, "status": "read"},
        {"id": "", "status": "read", "biz_opaque_callback_data": "x"},
        {"id": "wamid.other", "status": "read", "biz_opaque_callback_data": {"a": 1}},
    ],
)
def test_what_is_not_about_it_changes_nothing(
    sender: Phone, wamid: str, status: dict[str, Any]
) -> None:
    before = WhatsappMessage.objects.values().get()
    change = told(wamid, "read")
    change["value"]["statuses"] = [{"id": wamid, **status}] if "id" not in status else [status]
    arrive(sender, change)
    assert WhatsappMessage.objects.values().get() == before
    assert WebhookUpdate.objects.filter(processed_at=None).count() == 0


@pytest.mark.parametrize("value", [None, [], "x", {"statuses": {}}, {"statuses": [1, None]}])
def test_updates_of_another_form_are_done_with(sender: Phone, wamid: str, value: Any) -> None:
    arrive(sender, {"field": "messages", "value": value})
    assert message().state == "accepted"
    assert WebhookUpdate.objects.get().processed_at is not None


@pytest.mark.parametrize("timestamp", ["", "x", None, "9" * 30, -1])
def test_a_status_without_a_time_takes_that_of_its_arrival(
    sender: Phone, wamid: str, timestamp: Any
) -> None:
    change = told(wamid, "read")
    change["value"]["statuses"][0]["timestamp"] = timestamp
    arrive(sender, change)
    assert message().read_at == WebhookUpdate.objects.get().received_at


def test_a_flow_of_the_same_client_may_bring_it(
    sender: Phone, make_sender: MakeSender, wamid: str
) -> None:
    sibling = make_sender()
    arrive(sibling, told(wamid, "read"))
    assert message().state == "read"


def test_another_client_cannot(
    sender: Phone, wamid: str, actor: Actor, make_flow: Callable[..., IssuedFlow]
) -> None:
    other = lifecycle.create_client(actor, slug="other")
    stranger = Phone(sender.http, lifecycle.create_flow(actor, other, "whatsapp_flows"))
    arrive(stranger, told(wamid, "read"))
    arrive(stranger, told("wamid.x", "read", opaque=str(message().pk)))
    assert message().state == "accepted"
