"""The rows of messages and their deliveries: written together, found again by keyed digests."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from django.db import IntegrityError, transaction

from callbacks import outbox
from crypto_schemes.scheme import read_json, write_json
from flows_endpoint.whatsapp_flows.cloud.recipients import tail_of
from flows_endpoint.whatsapp_flows.models import FlowSession, MessageKind, WhatsappMessage
from tenants import at_rest, digests
from tenants.keyring import FlowSnapshot

#: The name of the way out that messages take.
CHANNEL: Final = "whatsapp"


def queue(
    flow: FlowSnapshot,
    kind: MessageKind,
    recipient: str,
    write: Callable[[str], dict[str, Any]],
    *,
    session: FlowSession | None = None,
    once: str = "",
) -> WhatsappMessage | None:
    """Write the row of a message and its delivery; None where ``once`` was used before.

    ``write`` returns the Cloud API's JSON for the id of the row.
    """
    row = WhatsappMessage(
        id=uuid.uuid4(),
        flow_id=flow.id,
        session=session,
        kind=kind,
        once=digests.lookup_digest("whatsapp_flows", "once", f"{flow.id}|{once}") if once else None,
        recipient_tail=tail_of(recipient),
        created_at=datetime.now(UTC),
    )
    content = {"recipient": recipient, "message": write(str(row.id))}
    row.body = at_rest.seal(write_json(content), row.at_rest_context)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        if once and WhatsappMessage.objects.filter(once=row.once).exists():
            return None
        raise
    outbox.enqueue(
        flow.id,
        f"whatsapp.{kind}",
        {"message": str(row.id)},
        subject=str(row.id),
        channel=CHANNEL,
        lane=_lane(flow, recipient),
    )
    return row


def wamid_digest(wamid: str) -> str:
    """Return the digest by which a message is found: the id itself spells the user's number."""
    return digests.lookup_digest("whatsapp_flows", "wamid", wamid)


def opened(message: WhatsappMessage) -> dict[str, Any]:
    """Return what is sealed in a message: ``recipient``, and ``message`` or ``wamid``."""
    content: dict[str, Any] = read_json(at_rest.open_sealed(message.body, message.at_rest_context))
    return content


def _lane(flow: FlowSnapshot, recipient: str) -> str:
    """Return the lane of a pair of business number and user: their messages stay in order."""
    number = flow.options.phone_number_id or flow.id
    return digests.lookup_digest("whatsapp_flows", "lane", f"{number}|{recipient}")
