"""Put a message into the outbox, inside the transaction that made it due."""

from __future__ import annotations

import uuid

from django.db import connection, transaction
from django.utils import timezone

from callbacks import channels, lanes
from callbacks.channels import CALLBACK
from callbacks.models import Delivery, Endpoint
from crypto_schemes.json_text import JSONValue
from crypto_schemes.scheme import write_json
from tenants import at_rest, trace
from tenants.models import Flow


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
    has no callback URL). Raises TransactionManagementError outside the transaction of the business
    record, SealError when the payload is not JSON, KeyError for a channel that is not registered.

    Lanes are held until the transaction ends. One that writes to several takes them in their
    order, or waits for another in a circle.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError(
            "A delivery is written in the transaction that made it due."
        )
    endpoint = endpoint_for(flow_id, channel)
    if endpoint is None:
        return None
    now = timezone.now()
    delivery = Delivery(
        id=uuid.uuid4(),
        flow_id=flow_id,
        endpoint=endpoint,
        channel=channel,
        lane=lanes.lane_of(endpoint, lane),
        event=event,
        subject=subject[:64],
        next_attempt_at=now,
        traceparent=trace.parent_header(),
    )
    delivery.body = at_rest.seal(write_json(payload), delivery.at_rest_context)
    if delivery.lane:
        lanes.hold([(endpoint.pk, delivery.lane)])
        lanes.place(delivery, now)
    delivery.save(force_insert=True)
    transaction.on_commit(_ring)
    return delivery


def endpoint_for(flow_id: str, channel: str) -> Endpoint | None:
    """Return the endpoint of the flow over ``channel``, made here if need be.

    None when the channel wants no deliveries of the flow, or there is no such flow. Raises
    KeyError for a channel that is not registered.
    """
    way = channels.get(channel)
    known = Endpoint.objects.select_related("flow").filter(flow_id=flow_id, channel=channel).first()
    flow = known.flow if known else Flow.objects.filter(pk=flow_id).order_by("pk").first()
    if flow is None or not way.is_wanted(flow):
        return None
    return known or Endpoint.objects.get_or_create(flow=flow, channel=channel)[0]


def _ring() -> None:
    from callbacks.tasks import ring  # noqa: PLC0415 - only where something is sent

    ring()
