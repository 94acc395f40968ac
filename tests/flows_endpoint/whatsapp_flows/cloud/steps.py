"""Shorthand: end a form, run the worker, look at what came of it."""

from __future__ import annotations

from typing import Any
from unittest import mock

from django.utils import timezone

from callbacks import tasks
from callbacks.models import Delivery
from flows_endpoint.whatsapp_flows import update_work
from flows_endpoint.whatsapp_flows.models import FlowSession, WhatsappMessage
from flows_endpoint.whatsapp_flows.sessions import Known, known
from tests.cloud_api import webhooks
from tests.flows_endpoint.whatsapp_flows.platform import Phone, Reply, opened_json

USER = "15550001111"
PARAMS = {"name": "Zoë", "date": "2026-01-05"}


def end(params: dict[str, Any] | None = None, **beside: Any) -> dict[str, Any]:
    """Return the answer that ends a form; ``beside`` are members next to ``screen``."""
    inside = {"extension_message_response": {"params": PARAMS if params is None else params}}
    return {"screen": "SUCCESS", "data": inside, **beside}


def finish(phone: Phone, token: str | None = "ft-0001", **data: Any) -> Reply:
    """Send the last step of a form."""
    return phone.step("LAST", data, token=token)


def run() -> None:
    """Process the updates that wait, then try once everything whose turn it is, due or not."""
    update_work.process_due(20)
    its_turn = Delivery.objects.filter(state="pending", next_attempt_at__isnull=False)
    its_turn.update(next_attempt_at=timezone.now())
    # Not long enough for what fails to be due again.
    with mock.patch.object(tasks, "LONGEST_ROUND", 0.3):
        tasks.deliver_due()


def arrive(phone: Phone, *changes: Any, at: float | None = None) -> None:
    """Have the webhook take the changes in one delivery, and the worker do what they mean."""
    answer = phone.deliver(webhooks.delivery(*changes, at=at))
    assert (answer.status_code, answer.content) == (200, b"")
    update_work.process_due(20)


def message() -> WhatsappMessage:
    """Return the only message."""
    return WhatsappMessage.objects.get()


def session() -> FlowSession:
    """Return the only session."""
    return FlowSession.objects.get()


def known_of_session() -> Known:
    """Return what is sealed in the only session."""
    return known(session())


def events() -> list[Any]:
    """Return the bodies of the callbacks, the oldest first."""
    rows = Delivery.objects.filter(channel="callback").order_by("created_at")
    return [opened_json(row) for row in rows]
