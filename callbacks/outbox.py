"""Put a message into the outbox, inside the transaction that made it due."""

from __future__ import annotations

import uuid

from django.db import transaction
from django.utils import timezone

from callbacks import channels
from callbacks.channels import CALLBACK
from callbacks.models import Delivery
from crypto_schemes.json_text import JSONValue
from crypto_schemes.scheme import write_json
from tenants import at_rest


def enqueue(
    flow_id: str,
    event: str,
    payload: JSONValue,
    *,
    subject: str = "",
    channel: str = CALLBACK,
    lane: str = "",
) -> Delivery | None:
    """Write a pending delivery of ``payload`` and ring the worker.

    ``payload`` is the body before the channel seals it; ``lane`` (64 characters) keeps what
    shares it in order: the next goes out when the one before has arrived or failed for good.

    Returns None, and writes nothing, when the channel does not want it (``callback``: the flow
    has no callback URL). Must be called inside the transaction of the business record. Raises
    SealError when the payload is not JSON, KeyError for a channel that is not registered.
    """
    if not channels.get(channel).is_wanted(flow_id):
        return None
    delivery = Delivery(
        id=uuid.uuid4(),
        flow_id=flow_id,
        channel=channel,
        lane=lane,
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
