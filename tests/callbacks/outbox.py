"""Shorthand for tests: put messages in, look at the rows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from callbacks.models import Delivery, Endpoint
from callbacks.outbox import enqueue
from tenants.models import Flow


def put(flow: Flow, payload: Any = None, **details: Any) -> Delivery:
    """Enqueue one message and return its row."""
    with transaction.atomic():
        delivery = enqueue(str(flow.pk), "call.ended", payload or {"n": 1}, **details)
    assert delivery is not None
    return delivery


def set_up(flow: Flow, channel: str = "callback", **values: Any) -> Endpoint:
    """Return the endpoint of ``flow``, made if need be, with ``values`` written to its row."""
    endpoint = Endpoint.objects.get_or_create(flow=flow, channel=channel)[0]
    if values:
        Endpoint.objects.filter(pk=endpoint.pk).update(**values)
    return Endpoint.objects.get(pk=endpoint.pk)


def change(delivery: Delivery, **values: Any) -> Delivery:
    """Write ``values`` to the row behind everybody's back and return it as it stands."""
    if values:
        Delivery.objects.filter(pk=delivery.pk).update(**values)
    return Delivery.objects.get(pk=delivery.pk)


def expire_lease(delivery: Delivery) -> None:
    """Let the time of the lease be over."""
    assert change(delivery).leased_until is not None
    over = timezone.now() - timedelta(milliseconds=1)
    change(delivery, leased_until=over, next_attempt_at=over)


def make_due(delivery: Delivery) -> None:
    """Let the next attempt be due now."""
    change(delivery, next_attempt_at=timezone.now())


def row(delivery: Delivery) -> dict[str, Any]:
    """Return the whole row, to show that nothing of it changed."""
    values = Delivery.objects.filter(pk=delivery.pk).values().get()
    return {name: bytes(v) if isinstance(v, memoryview) else v for name, v in values.items()}
