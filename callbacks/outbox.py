"""Put a message into the outbox, inside the transaction that made it due."""

from __future__ import annotations

import uuid

from django.db import transaction
from django.utils import timezone

from callbacks.models import Delivery
from crypto_schemes.json_text import JSONValue
from crypto_schemes.scheme import write_json
from tenants import at_rest
from tenants.models import Flow


def enqueue(flow_id: str, event: str, payload: JSONValue, *, subject: str = "") -> Delivery | None:
    """Write a pending delivery of ``payload`` to the flow's callback URL and ring the worker.

    Returns None, and writes nothing, when the flow has no callback URL. The payload is the
    contract's callback body before sealing. Must be called inside the transaction of the
    business record. Raises SealError when the payload is not JSON.
    """
    url = Flow.objects.filter(pk=flow_id).values_list("callback_url", flat=True).first()
    if not url:
        return None
    delivery = Delivery(
        id=uuid.uuid4(),
        flow_id=flow_id,
        event=event,
        subject=subject[:64],
        next_attempt_at=timezone.now(),
    )
    delivery.body = at_rest.seal(write_json(payload), delivery.at_rest_context)
    delivery.save(force_insert=True)
    transaction.on_commit(_ring)
    return delivery


def _ring() -> None:
    from callbacks.tasks import ring  # noqa: PLC0415 - only where something is sent

    ring()
