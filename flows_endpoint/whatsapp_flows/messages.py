"""Send messages to users: queued in the caller's transaction, delivered by the outbox.

For backends, commands and the admin. A message is sent once for each ``once``, however often it is
asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from crypto_schemes.json_text import JSONValue
from flows_endpoint.whatsapp_flows import message_queue, sessions
from flows_endpoint.whatsapp_flows.cloud import bodies
from flows_endpoint.whatsapp_flows.cloud.accounts import account_of
from flows_endpoint.whatsapp_flows.cloud.recipients import parse_recipient
from flows_endpoint.whatsapp_flows.models import FlowSession, MessageKind, WhatsappMessage
from tenants.keyring import FlowSnapshot


@dataclass(frozen=True, slots=True)
class Started:
    """A form that was sent to a user. The token names it in every step and in the callback."""

    message: WhatsappMessage
    session: FlowSession
    flow_token: str = field(repr=False)


def send_flow(flow: FlowSnapshot, to: str, *, data: JSONValue = None) -> Started:
    """Send a message that opens the form of ``flow``, under a token nobody can guess.

    ``data`` fills the first screen, where the options name one. Must be called inside a
    transaction. Raises RecipientError, MessageError or NotConfiguredError.
    """
    recipient = parse_recipient(to)
    account_of(flow)
    token = bodies.new_flow_token()
    bodies.flow_message(recipient, token, flow.options, "", data=data)  # or say what is missing
    session = sessions.begin(flow.id, token, recipient)
    message = message_queue.queue(
        flow,
        MessageKind.FLOW,
        recipient,
        lambda name: bodies.flow_message(recipient, token, flow.options, name, data=data),
        session=session,
    )
    assert message is not None  # noqa: S101 - without once there is none before it
    return Started(message, session, token)


def send_text(flow: FlowSnapshot, to: str, text: str, *, once: str = "") -> WhatsappMessage | None:
    """Send a text to a user who has written within 24 hours.

    ``once`` names the occasion: a second text for it is not sent, and None returned. Must be
    called inside a transaction. Raises RecipientError, MessageError or NotConfiguredError.
    """
    recipient = parse_recipient(to)
    account_of(flow)
    return message_queue.queue(
        flow,
        MessageKind.TEXT,
        recipient,
        lambda name: bodies.text_message(recipient, text, name),
        once=f"text|{once}" if once else "",
    )
