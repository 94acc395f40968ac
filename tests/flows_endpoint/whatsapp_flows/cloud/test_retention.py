"""What is kept of users is forgotten in time, and nothing before."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from flows_endpoint import tasks
from flows_endpoint.whatsapp_flows import retention
from flows_endpoint.whatsapp_flows.models import (
    ErrorReport,
    FlowAlert,
    FlowSession,
    MediaFile,
    WebhookUpdate,
    WhatsappMessage,
)
from flows_endpoint.whatsapp_flows.models.endpoint import ErrorKind
from tests.flows_endpoint.whatsapp_flows.platform import Phone

pytestmark = pytest.mark.django_db


def make(phone: Phone, days: float, number: int, **over: Any) -> None:
    """Write a row of each kind, so many days old."""
    at, flow = timezone.now() - timedelta(days=days), phone.flow
    session = FlowSession.objects.create(flow=flow, token_digest=f"t{number}", created_at=at)
    WhatsappMessage.objects.create(
        flow=flow,
        session=session,
        kind="text",
        recipient_tail="1111",
        body=b"x",
        created_at=at,
    )
    WebhookUpdate.objects.create(
        flow=flow,
        digest=f"d{number}",
        kind="other",
        body=b"x",
        received_at=at,
        processed_at=over.get("processed_at", at),
    )
    ErrorReport.objects.create(flow=flow, kind=ErrorKind.values[0], body=b"x", received_at=at)
    FlowAlert.objects.create(
        flow=flow,
        source="meta",
        event="E",
        subject=str(number),
        opened_at=at,
        closed_at=over.get("closed_at", at),
    )


def counts() -> list[int]:
    models = (FlowSession, WhatsappMessage, WebhookUpdate, ErrorReport, FlowAlert)
    return [model._default_manager.count() for model in models]


def test_what_is_past_its_time_goes(
    phone: Phone, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.WHATSAPP_DAYS = 10
    monkeypatch.setattr(retention, "_AT_ONCE", 2)
    for number in range(5):
        make(phone, 11, number)
    for number in range(5, 8):
        make(phone, 9, number)
    tasks.forget_the_past()
    assert counts() == [3, 3, 3, 3, 3]
    tasks.forget_the_past()
    assert counts() == [3, 3, 3, 3, 3]


def test_what_waits_or_is_open_stays(phone: Phone, settings: Any) -> None:
    settings.WHATSAPP_DAYS = 10
    make(phone, 20, 1, processed_at=None, closed_at=None)
    tasks.forget_the_past()
    assert counts() == [0, 0, 1, 0, 1]


def test_a_message_outlives_the_session_it_belongs_to(phone: Phone, settings: Any) -> None:
    settings.WHATSAPP_DAYS = 10
    make(phone, 20, 1)
    WhatsappMessage.objects.update(created_at=timezone.now())
    tasks.forget_the_past()
    assert WhatsappMessage.objects.get().session is None


def test_files_go_when_they_expire(phone: Phone) -> None:
    now = timezone.now()
    for number, minutes in enumerate((-1, 1)):
        MediaFile.objects.create(
            id=f"00000000-0000-0000-0000-00000000000{number}",
            flow=phone.flow,
            ticket_digest="x",
            body=b"x",
            request_id="r",
            expires_at=now + timedelta(minutes=minutes),
        )
    tasks.forget_the_past()
    assert MediaFile.objects.get().expires_at > now
