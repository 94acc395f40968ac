"""A completed form that arrived as a message of the user (``nfm_reply``).

It belongs to the session of its flow token, which may be any flow's of the client, since one
webhook may serve several; without a token, to that of the message it answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from callbacks import outbox
from crypto_schemes import json_text
from crypto_schemes.json_text import JSONTextError
from flows_endpoint.whatsapp_flows import message_queue, sessions
from flows_endpoint.whatsapp_flows.cloud.accounts import may_send
from flows_endpoint.whatsapp_flows.cloud.recipients import RecipientError, parse_recipient
from flows_endpoint.whatsapp_flows.models import FlowSession, WhatsappMessage
from flows_endpoint.whatsapp_flows.steps import SHARED_TOKENS
from tenants.keyring import keyring
from tenants.models import Flow

#: Flows of one client that are looked at for a token.
_MOST_FLOWS: Final = 200


def form_reply_of(message: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the ``nfm_reply`` of a message, or None where it is another one."""
    interactive = message.get("interactive")
    reply = interactive.get("nfm_reply") if isinstance(interactive, dict) else None
    return reply if isinstance(reply, dict) else None


def complete(
    flow: Flow, message: Mapping[str, Any], contact: Mapping[str, Any], at: datetime
) -> None:
    """Complete the session of a form's reply, once, inside a transaction.

    A form that the endpoint did not end is announced to the callback URL as ``flow.replied``;
    one that it ended was announced as ``flow.completed``.
    """
    params = _params(message)
    session = _session(flow, message, params, at)
    if session.replied_at is not None:
        return
    sender = _sender(message, contact)
    snapshot = keyring.by_flow_id(str(session.flow_id))
    sends = snapshot is not None and may_send(snapshot)
    session.replied_at = at
    said = sessions.known(session)
    if sender and sends and not said.recipient:
        # Who it is, is kept where something may be sent to them only.
        sessions.keep(session, replace(said, recipient=sender))
    session.save(update_fields=["replied_at", "body", "recipient_tail"])
    if session.succeeded_at is None:
        _announce(session, params, sender, at)
    if snapshot is not None and sends:
        sessions.send_summary(snapshot, session)
        sessions.send_summary_again(snapshot, session)


def _session(
    flow: Flow, message: Mapping[str, Any], params: Mapping[str, Any], at: datetime
) -> FlowSession:
    """Return the session, locked; a new one where nobody has heard of it."""
    token = params.get("flow_token")
    if isinstance(token, str) and token not in SHARED_TOKENS:
        return _by_token(flow, token) or sessions.locked(str(flow.pk), token, at)
    context = message.get("context")
    answered = context.get("id") if isinstance(context, dict) else None
    if isinstance(answered, str) and answered:
        opening = (
            WhatsappMessage.objects.filter(
                flow__client_id=flow.client_id,
                wamid_digest=message_queue.wamid_digest(answered),
                session__isnull=False,
            )
            .values_list("session_id", flat=True)
            .first()
        )
        if opening is not None:
            return FlowSession.objects.select_for_update().get(pk=opening)
    # Nothing names it: the message itself does, so that its repetition is known.
    return sessions.locked(str(flow.pk), f"message {message.get('id')}", at)


def _by_token(flow: Flow, token: str) -> FlowSession | None:
    flows = Flow.objects.filter(client_id=flow.client_id, scheme=flow.scheme).order_by("pk")
    digests = [
        sessions.token_digest(str(pk), token)
        for pk in flows.values_list("pk", flat=True)[:_MOST_FLOWS]
    ]
    found = FlowSession.objects.select_for_update().filter(token_digest__in=digests)
    # Of several forms under one token, the one that is still waited for.
    return min(
        found,
        key=lambda session: (session.replied_at is not None, -session.created_at.timestamp()),
        default=None,
    )


def _params(message: Mapping[str, Any]) -> Mapping[str, Any]:
    reply = form_reply_of(message) or {}
    text = reply.get("response_json")
    try:
        value = json_text.parse(text.encode("utf-8")) if isinstance(text, str) else None
    except (JSONTextError, UnicodeEncodeError):
        value = None
    return value if isinstance(value, dict) else {}


def _sender(message: Mapping[str, Any], contact: Mapping[str, Any]) -> str:
    """Return who wrote it: the number, or the id where the number is not told; may be empty."""
    for text in (
        message.get("from"),
        contact.get("wa_id"),
        message.get("from_user_id"),
        contact.get("user_id"),
    ):
        try:
            if isinstance(text, str):
                return parse_recipient(text)
        except RecipientError:
            continue
    return ""


def _announce(session: FlowSession, params: Mapping[str, Any], sender: str, at: datetime) -> None:
    token = params.get("flow_token")
    event = {
        "event": "flow.replied",
        "replied_at": at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "flow_token": token if isinstance(token, str) else None,
        "from": sender or None,
        "params": dict(params),
    }
    outbox.enqueue(str(session.flow_id), "flow.replied", event, subject=str(session.id))
