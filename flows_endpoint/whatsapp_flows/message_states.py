"""How far a message has come. Updates may arrive twice, late and in any order: it only moves on."""

from __future__ import annotations

import uuid
from collections.abc import Container, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from django.db.models import Q

from crypto_schemes.scheme import write_json
from flows_endpoint.whatsapp_flows import message_queue, sessions
from flows_endpoint.whatsapp_flows.cloud.dispositions import WINDOW_CLOSED_CODE
from flows_endpoint.whatsapp_flows.models import (
    FlowSession,
    MessageKind,
    MessageState,
    WhatsappMessage,
)
from tenants import at_rest
from tenants.keyring import keyring
from tenants.models import Flow

#: A later state never gives way to an earlier one. What a phone received has not failed.
_ORDER: Final = tuple(MessageState)
#: The platform's word for a state, and the column that tells when.
_STATES: Final[Mapping[str, tuple[MessageState, str]]] = {
    "sent": (MessageState.SENT, "sent_at"),
    "delivered": (MessageState.DELIVERED, "delivered_at"),
    "read": (MessageState.READ, "read_at"),
    "failed": (MessageState.FAILED, "failed_at"),
}
#: Names of messages that are looked up in one query.
_MOST_AT_ONCE: Final = 400


def accepted(message_id: uuid.UUID, wamid: str) -> None:
    """Note the platform's id of a message, inside a transaction; its content is forgotten."""
    message = _locked(message_id)
    if message is None:
        return
    message.wamid_digest = message_queue.wamid_digest(wamid)
    content = {"recipient": message_queue.opened(message)["recipient"], "wamid": wamid}
    message.body = at_rest.seal(write_json(content), message.at_rest_context)
    message.accepted_at = message.accepted_at or datetime.now(UTC)
    # A replayed message that had failed begins anew.
    if message.state in {MessageState.QUEUED, MessageState.FAILED}:
        message.state, message.code, message.error = MessageState.ACCEPTED, None, ""
    message.save(update_fields=["wamid_digest", "body", "accepted_at", "state", "code", "error"])


def failed(message_id: uuid.UUID, error: str, code: int | None, *, at: datetime) -> None:
    """Note that a message failed for good, inside a transaction."""
    message = _locked(message_id)
    if message is not None:
        _move(message, MessageState.FAILED, "failed_at", at, error=error, code=code)


def ours(statuses: Iterable[Mapping[str, Any]]) -> frozenset[str] | None:
    """Return by what :func:`is_ours` knows the statuses that may be about messages of ours.

    One query for many statuses; None for so many that it would not be worth it.
    """
    names = {name for status in statuses for name in _names(status)}
    if len(names) > _MOST_AT_ONCE:
        return None
    if not names:
        return frozenset()
    # An id is 36 characters, a digest 64.
    ids = [name for name in names if len(name) == 36]
    found = WhatsappMessage.objects.filter(Q(pk__in=ids) | Q(wamid_digest__in=names)).order_by()
    return frozenset(str(text) for row in found.values_list("pk", "wamid_digest") for text in row)


def is_ours(status: Mapping[str, Any], ours: Container[str]) -> bool:
    """Return whether ``status`` may be about a message of ours."""
    return any(name in ours for name in _names(status))


def _names(status: Mapping[str, Any]) -> Iterator[str]:
    """Yield by what a message may be known: the digest of its id, and our own id sent with it."""
    wamid = status.get("id")
    if isinstance(wamid, str) and wamid:
        yield message_queue.wamid_digest(wamid)
    try:
        yield str(uuid.UUID(str(status.get("biz_opaque_callback_data"))))
    except ValueError:
        return


def apply_status(flow: Flow, said: Mapping[str, Any], at: datetime) -> None:
    """Apply one status of the webhook to the message of the client it is about, if it is ours.

    One webhook may serve several flows of a client, so all of them are looked at. ``at`` is
    when the update came, for a status without a time. Inside a transaction.
    """
    known = _STATES.get(str(said.get("status")))
    if known is None:
        return
    message = _of_status(flow, said)
    if message is None:
        return
    state, column = known
    code = _code(said) if state == MessageState.FAILED else None
    error = "" if code is None else f"cloud_{code}"
    wamid = said.get("id")
    if not message.wamid_digest and isinstance(wamid, str):
        # It came before the answer to the call was recorded, or that was lost.
        message.wamid_digest = message_queue.wamid_digest(wamid)
        message.save(update_fields=["wamid_digest"])
    _move(message, state, column, _time(said, at), error=error, code=code)


def _move(
    message: WhatsappMessage,
    state: MessageState,
    column: str,
    at: datetime,
    *,
    error: str,
    code: int | None,
) -> None:
    if getattr(message, column) is None:
        setattr(message, column, at)
    if _ORDER.index(state) > _ORDER.index(MessageState(message.state)):
        message.state, message.error, message.code = state, error[:64], code
    message.save(update_fields=[column, "state", "error", "code"])
    if message.state == MessageState.FAILED and message.code == WINDOW_CLOSED_CODE:
        _send_again(message)


def _send_again(message: WhatsappMessage) -> None:
    """Have a summary sent again whose user has written since."""
    if message.kind != MessageKind.SUMMARY or message.session_id is None:
        return
    flow = keyring.by_flow_id(str(message.flow_id))
    session = FlowSession.objects.select_for_update().filter(pk=message.session_id).first()
    if flow is not None and session is not None:
        sessions.send_summary_again(flow, session)


def _of_status(flow: Flow, said: Mapping[str, Any]) -> WhatsappMessage | None:
    # The model's own order joins nothing; the flow's client is compared, not locked.
    rows = WhatsappMessage.objects.select_for_update(of=("self",)).filter(
        flow__client_id=flow.client_id
    )
    wamid = said.get("id")
    found = None
    if isinstance(wamid, str) and wamid:
        found = rows.filter(wamid_digest=message_queue.wamid_digest(wamid)).first()
    if found is None:
        try:
            named = uuid.UUID(str(said.get("biz_opaque_callback_data")))
        except ValueError:
            return None
        found = rows.filter(pk=named).first()
    return found


def _locked(message_id: uuid.UUID) -> WhatsappMessage | None:
    return WhatsappMessage.objects.select_for_update().filter(pk=message_id).first()


def _code(said: Mapping[str, Any]) -> int | None:
    errors = said.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    code = first.get("code") if isinstance(first, dict) else None
    is_number = isinstance(code, int) and not isinstance(code, bool) and abs(code) < 2**31
    return code if is_number else None


def _time(said: Mapping[str, Any], at: datetime) -> datetime:
    """Return the status's own time (Unix seconds as text), or ``at`` where it has none."""
    text = str(said.get("timestamp", ""))
    if text.isascii() and text.isdigit() and len(text) <= 11:
        return datetime.fromtimestamp(int(text), UTC)
    return at
