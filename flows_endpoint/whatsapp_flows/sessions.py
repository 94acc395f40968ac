"""One form of one user, from the message that opened it to the one that ends it.

A session is named by the flow token. It begins with the message that opens the form, or, where
somebody else sent that, with the first we hear of the token. It learns three things, in any order:

- that the endpoint ended the form (SUCCESS), and with it the summary text;
- that the completed form arrived as a message of the user (``nfm_reply``);
- who the user is: from the opening message, the service's answer, or the message of the user.

The summary goes out as soon as its text and the recipient are known, once.

The platform takes a text only within 24 hours of the user's last message, and the completed form
is one: a summary that was too early by a moment is sent again, once, when that has arrived.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from crypto_schemes.scheme import read_json, write_json
from flows_endpoint import rows
from flows_endpoint.whatsapp_flows import message_queue
from flows_endpoint.whatsapp_flows.cloud import bodies
from flows_endpoint.whatsapp_flows.cloud.accounts import may_send
from flows_endpoint.whatsapp_flows.cloud.dispositions import WINDOW_CLOSED_CODE
from flows_endpoint.whatsapp_flows.cloud.recipients import tail_of
from flows_endpoint.whatsapp_flows.models import (
    FlowSession,
    MessageKind,
    MessageState,
    WhatsappMessage,
)
from tenants import at_rest, digests
from tenants.keyring import FlowSnapshot

_TABLE: Final = FlowSession._meta.db_table
#: What becomes of a session that is there: it succeeds, unless it has.
_SUCCEEDS: Final = f"""(token_digest) DO UPDATE SET succeeded_at = excluded.succeeded_at
    WHERE {_TABLE}.succeeded_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class Known:
    """What is sealed in a session."""

    recipient: str = field(default="", repr=False)
    summary: str = field(default="", repr=False)


def token_digest(flow_id: str, token: str) -> str:
    """Return the digest under which the session of ``token`` is found."""
    return digests.lookup_digest("whatsapp_flows", "session", f"{flow_id}|{token}")


def begin(flow_id: str, token: str, recipient: str) -> FlowSession:
    """Return the new session of a token that was just made, for a recipient."""
    session = FlowSession(
        flow_id=flow_id, token_digest=token_digest(flow_id, token), created_at=datetime.now(UTC)
    )
    keep(session, Known(recipient=recipient))
    session.save(force_insert=True)
    return session


def locked(flow_id: str, token: str, at: datetime) -> FlowSession:
    """Return the session of ``token``, made if need be, locked until the transaction ends."""
    digest = token_digest(flow_id, token)
    found = FlowSession.objects.select_for_update().filter(token_digest=digest)
    session = found.first()
    if session is None:
        new = FlowSession(flow_id=flow_id, token_digest=digest, created_at=at)
        FlowSession.objects.bulk_create([new], ignore_conflicts=True)
        session = found.get()
    return session


def known(session: FlowSession) -> Known:
    """Return what is sealed in ``session``. Raises AtRestError."""
    if not session.body:
        return Known()
    return Known(**read_json(at_rest.open_sealed(session.body, session.at_rest_context)))


def keep(session: FlowSession, said: Known) -> None:
    """Seal what is known into the row, which is yet to be saved."""
    session.recipient_tail = tail_of(said.recipient)
    session.body = at_rest.seal(write_json(asdict(said)), session.at_rest_context)


def succeed(flow: FlowSnapshot, token: str, *, summary: str, recipient: str, at: datetime) -> None:
    """Note that the endpoint ended the form of ``token``; the first time only.

    ``recipient`` as the service named it, or empty. Inside the transaction of the reply; one
    statement where there is nothing to send.
    """
    digest = token_digest(flow.id, token)
    if not _is_first_success(flow.id, digest, at):
        return
    if may_send(flow) and summary.strip():
        session = FlowSession.objects.select_for_update().get(token_digest=digest)
        before = known(session)
        keep(session, replace(before, summary=summary, recipient=recipient or before.recipient))
        session.save(update_fields=["body", "recipient_tail"])
        send_summary(flow, session)


def _is_first_success(flow_id: str, digest: str, at: datetime) -> bool:
    """Write when the session succeeded, unless it has; make it where there is none."""
    new = FlowSession(flow_id=flow_id, token_digest=digest, created_at=at, succeeded_at=at)
    return rows.insert_once(new, on_conflict=_SUCCEEDS)


def send_summary(flow: FlowSnapshot, session: FlowSession) -> None:
    """Queue the summary if text and recipient are known; ``session`` must be locked."""
    said = known(session)
    if session.succeeded_at is not None and said.recipient and said.summary.strip():
        _queue_summary(flow, session, said, "summary")


def send_summary_again(flow: FlowSnapshot, session: FlowSession) -> None:
    """Queue the summary once more if it was refused for the user's silence, and they wrote since.

    ``session`` must be locked.
    """
    if session.replied_at is None:
        return
    refused = session.messages.filter(
        kind=MessageKind.SUMMARY, state=MessageState.FAILED, code=WINDOW_CLOSED_CODE
    )
    if refused.exists():
        _queue_summary(flow, session, known(session), "summary-again")


def send_to_known(flow: FlowSnapshot, recipient: str, summary: str, occasion: str) -> None:
    """Queue a summary that no session belongs to, once for ``occasion``."""
    if may_send(flow) and recipient and summary.strip():
        _queue(flow, None, recipient, summary, f"request|{occasion}")


def _queue_summary(flow: FlowSnapshot, session: FlowSession, said: Known, occasion: str) -> None:
    if may_send(flow):
        _queue(flow, session, said.recipient, said.summary, f"{occasion}|{session.id}")


def _queue(
    flow: FlowSnapshot, session: FlowSession | None, recipient: str, text: str, once: str
) -> WhatsappMessage | None:
    return message_queue.queue(
        flow,
        MessageKind.SUMMARY,
        recipient,
        lambda name: bodies.text_message(recipient, text, name),
        session=session,
        once=once,
    )
