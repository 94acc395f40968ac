"""The data endpoint at the wire: who answers which request, and what every failure looks like."""

from __future__ import annotations

import hashlib
import logging
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any, Final

from django.db import transaction

from callbacks import outbox
from crypto_schemes.envelope import OpenedRequest, SealedReply
from crypto_schemes.json_text import JSONValue
from crypto_schemes.scheme import write_json
from crypto_schemes.whatsapp_flows import MAX_BODY, SCHEME
from crypto_schemes.whatsapp_flows.flow_json import ReplyError, check_reply
from crypto_schemes.whatsapp_flows.payload import (
    SUCCESS,
    FlowRequest,
    fill_summary,
    read_request,
)
from flows_endpoint.backends import Answer, Backend, Call
from flows_endpoint.exchange import Exchange, HttpReply, Reason, Refusal
from flows_endpoint.pipeline import Protocol
from flows_endpoint.whatsapp_flows import media, sealings, sessions, steps
from flows_endpoint.whatsapp_flows.cloud.recipients import RecipientError, parse_recipient
from flows_endpoint.whatsapp_flows.errors import INVALID_TOKEN, is_token_refusal, status_of
from flows_endpoint.whatsapp_flows.models import ErrorKind, ErrorReport
from flows_endpoint.whatsapp_flows.sandbox import FLOW_JSON, AppointmentSandbox
from flows_endpoint.whatsapp_flows.steps import SHARED_TOKENS
from tenants import at_rest
from tenants.keyring import FlowSnapshot, keyring

logger = logging.getLogger(__name__)

#: What the user reads when the service gives no reason.
DEFAULT_TOKEN_MESSAGE: Final = "This form is no longer available."
#: Characters kept of each text of an error notification: a request has up to 10 MB.
LONGEST_REPORT: Final = 10_000
#: The member of a service's last answer that says who gets the summary; no phone sees it.
SUMMARY_TO: Final = "summary_to"


class _Hold(Enum):
    """How a request holds the step it serves."""

    TRANSACTION = auto()  # what is undone takes the row along
    LEASE = auto()
    NOTHING = auto()  # another may be first yet


@dataclass(frozen=True, slots=True)
class _Written(Answer):
    """An answer and its JSON text, which is written once."""

    text: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Unfinished(_Written):
    """An answer whose step is written down in the statement that marks what is sealed."""

    step: steps.Step
    hold: _Hold


def _written(payload: JSONValue) -> _Written:
    """Return the answer with its text. Raises SealError for what JSON cannot say."""
    return _Written(payload, write_json(payload))


_PONG: Final = _written({"data": {"status": "active"}})
_NOTED: Final = _written({"data": {"acknowledged": True}})


@dataclass(frozen=True, slots=True)
class _TokenError:
    """The body of a 427 and the request it answers."""

    reply: SealedReply
    opened: OpenedRequest

    @property
    def is_sealed(self) -> bool:
        """Return whether the session of the request sealed it."""
        return self.reply.content_type == "text/plain"


class WhatsAppFlowsProtocol(Protocol):
    """The contract of the data endpoint. Errors have a status and, but for 427, no body."""

    scheme_name = "whatsapp_flows"
    max_body = MAX_BODY
    sandbox = AppointmentSandbox()

    def locate(self, exchange: Exchange) -> FlowSnapshot:
        """Return the flow whose address stands in the URL."""
        flow = keyring.by_wire_id(self.scheme_name, exchange.route["address"])
        if flow is None:
            raise Refusal(Reason.UNKNOWN_FLOW)
        return flow

    def check(self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest) -> None:
        """Refuse what opened but is no request; name the operation after its action."""
        request = exchange.said = read_request(opened.payload)
        exchange.operation = "error_notification" if request.error else request.action

    def is_transaction(self, exchange: Exchange, opened: OpenedRequest, backend: Backend) -> bool:
        """Return whether the backend is asked for something that changes what it has."""
        request: FlowRequest = exchange.said
        if request.is_ping or request.error is not None or not backend.atomic:
            return False
        # Each time it is asked, files would be fetched.
        fetches = exchange.flow is not None and exchange.flow.options.fetch_media
        return fetches or not backend.is_safe(exchange.operation, opened.payload)

    def handle(
        self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest, backend: Backend
    ) -> _Written:
        """Answer health checks and error notifications here, everything else by the backend."""
        request: FlowRequest = exchange.said
        if request.is_ping:
            return _PONG
        if request.error:
            _keep_report(flow, request, exchange.received_at)
            return _NOTED
        try:
            return self._serve(exchange, flow, opened, backend, request)
        except Refusal as refusal:
            if not is_token_refusal(refusal):
                raise
            # Only here is the session at hand that seals the message.
            message = refusal.extra if isinstance(refusal.extra, str) else DEFAULT_TOKEN_MESSAGE
            reply = SCHEME.seal_token_error(
                message,
                opened,
                flow.credentials(exchange.received_at),
                flow.options,
                now=exchange.received_at,
            )
            raise Refusal(
                refusal.reason,
                INVALID_TOKEN,
                step=refusal.step or "flow_token",
                extra=_TokenError(reply, opened),
            ) from None

    def call(self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest) -> Call:
        """Return what the backend gets to see; with ``fetch_media`` where attached files are."""
        call = super().call(exchange, flow, opened)
        if not flow.options.fetch_media:
            return call
        received_at = datetime.fromtimestamp(exchange.received_at, UTC)
        offered = media.offer(flow.id, opened.payload, exchange.request_id, received_at)
        return (
            call if offered is None else replace(call, details={**call.details, "media": offered})
        )

    def _serve(
        self,
        exchange: Exchange,
        flow: FlowSnapshot,
        opened: OpenedRequest,
        backend: Backend,
        request: FlowRequest,
    ) -> _Written:
        """Have the backend serve the step, or return the first reply to it."""
        step = steps.step_of(flow, request) if steps.is_remembered(flow, request) else None
        if backend.atomic and not exchange.in_transaction:
            return self._ask_safely(exchange, flow, opened, backend, step)
        if step is not None and (first := steps.begin(flow, step, atomic=backend.atomic)):
            return _written(first.payload)
        try:
            answer, recipient = self._ask(exchange, flow, opened, backend)
            if answer.payload["screen"] == SUCCESS:
                with nullcontext() if backend.atomic else transaction.atomic():
                    if step is not None and not backend.atomic:
                        steps.finish(step, answer.text, flow.options.retry_window)
                    _announce(exchange, flow, request, answer.payload, recipient)
                if not backend.atomic:
                    return answer
        except BaseException:
            # Inside the backend's transaction the row goes with it.
            if step is not None and not backend.atomic:
                steps.abandon(step)
            raise
        if step is None:
            return answer
        hold = _Hold.TRANSACTION if backend.atomic else _Hold.LEASE
        return _Unfinished(answer.payload, answer.text, step, hold)

    def _ask_safely(
        self,
        exchange: Exchange,
        flow: FlowSnapshot,
        opened: OpenedRequest,
        backend: Backend,
        step: steps.Step | None,
    ) -> _Written:
        """Have the backend answer what changes nothing; nobody has to hold the step."""
        try:
            answer, _ = self._ask(exchange, flow, opened, backend)
            if answer.payload["screen"] == SUCCESS:
                # Whoever ends a form does something: it is announced, once.
                raise Refusal(Reason.INTERNAL, step="a safe step ended the form")
        except Refusal:
            if step is not None and (first := steps.first_reply(step)):
                return _written(first.payload)
            raise
        if step is None:
            return answer
        return _Unfinished(answer.payload, answer.text, step, _Hold.NOTHING)

    def _ask(
        self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest, backend: Backend
    ) -> tuple[_Written, str]:
        """Return the backend's answer, which a phone can show, and who gets the summary."""
        answer, recipient = _take_recipient(flow, backend.handle(self.call(exchange, flow, opened)))
        _refuse_unusable(answer.payload, exchange.said, flow)
        # Before anything is completed: not everything can be sealed.
        return _written(answer.payload), recipient

    def seal(
        self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest, answer: Answer
    ) -> HttpReply:
        """Return the sealed reply. Raises Refusal when another went out under this AES key."""
        if isinstance(answer, _Unfinished):
            return self._seal_and_remember(exchange, flow, opened, answer)
        text = answer.text if isinstance(answer, _Written) else write_json(answer.payload)
        reply = _sealed(opened, text)
        # The two fixed replies are the same every time.
        is_fixed = answer is _PONG or answer is _NOTED
        if not is_fixed and not sealings.is_first(opened, reply.body):
            raise Refusal(Reason.REPLAYED, step=sealings.STEP)
        return reply

    def _seal_and_remember(
        self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest, answer: _Unfinished
    ) -> HttpReply:
        """Return the sealed reply of a step, remembered; or the first one, if another was first."""
        step, window = answer.step, flow.options.retry_window
        try:
            reply = _sealed(opened, answer.text)
            if answer.hold is _Hold.NOTHING:
                writing = steps.remembering(flow, step, answer.text, window)
            else:
                writing = steps.finishing(step, answer.text, window)
            if sealings.is_first(opened, reply.body, together_with=writing):
                return reply
        except BaseException:
            if answer.hold is _Hold.LEASE:
                steps.abandon(step)
            raise
        if answer.hold is _Hold.NOTHING:
            if first := steps.first_reply(step):
                return self.seal(exchange, flow, opened, _written(first.payload))
            if not steps.abandon(step):  # there is none, and it is not ours
                raise Refusal(Reason.UNAVAILABLE, step=steps.IN_PROGRESS)
        raise Refusal(Reason.REPLAYED, step=sealings.STEP)

    def after_refusal(self, exchange: Exchange, refusal: Refusal) -> None:
        """Mark the message of a 427 as sealed: what the transaction marked is undone by now."""
        error = refusal.extra
        if not isinstance(error, _TokenError):
            return
        refusal.extra = None  # nothing goes out before it is marked
        if error.is_sealed and not sealings.is_first(error.opened, error.reply.body):
            refusal.reason, refusal.step = Reason.REPLAYED, sealings.STEP
            return
        refusal.extra = HttpReply(
            INVALID_TOKEN, error.reply.body, error.reply.content_type, code=INVALID_TOKEN
        )

    def refuse(self, exchange: Exchange, refusal: Refusal) -> HttpReply:
        """Return the status alone; a 427 brings the message that was sealed for it."""
        if isinstance(refusal.extra, HttpReply):
            return refusal.extra
        status = status_of(refusal.reason)
        headers = {"Allow": "POST"} if refusal.reason is Reason.METHOD else {}
        return HttpReply(status, content_type="", headers=headers, code=status)


def _sealed(opened: OpenedRequest, text: bytes) -> HttpReply:
    reply = SCHEME.seal_text(text, opened)
    return HttpReply(200, reply.body, reply.content_type)


def _refuse_unusable(payload: JSONValue, request: FlowRequest, flow: FlowSnapshot) -> None:
    """Raise Refusal for an answer no phone could show, and for the answer *token not valid*.

    An object with the one member ``error_msg`` is how a service says that the flow token
    is no longer valid.
    """
    if (
        isinstance(payload, dict)
        and payload.keys() == {"error_msg"}
        and isinstance(payload["error_msg"], str)
    ):
        raise Refusal(Reason.BUSINESS, INVALID_TOKEN, extra=payload["error_msg"])
    try:
        check_reply(payload, request, FLOW_JSON if flow.is_sandbox else flow.options.flow)
    except ReplyError as error:
        # Names members, and screens of the Flow JSON; never a value.
        logger.warning("No phone could show the answer of flow %s: %s", flow.id, error)
        blame = Reason.UPSTREAM_ANSWER if flow.backend == "upstream" else Reason.INTERNAL
        raise Refusal(blame, step=error.code) from None


def _keep_report(flow: FlowSnapshot, request: FlowRequest, received_at: float) -> None:
    if request.error is None:
        return
    known = request.error.key in ErrorKind.values
    report = ErrorReport(
        flow_id=flow.id,
        kind=request.error.key if known else ErrorKind.OTHER,
        received_at=datetime.fromtimestamp(received_at, UTC),
    )
    said = {
        "key": request.error.key,
        "message": request.error.message,
        "screen": request.screen,
    }
    body = {name: text[:LONGEST_REPORT] for name, text in said.items()}
    report.body = at_rest.seal(write_json(body), report.at_rest_context)
    report.save(force_insert=True)


def _take_recipient(flow: FlowSnapshot, answer: Answer) -> tuple[Answer, str]:
    """Return the answer without the member that says who gets the summary, and that."""
    payload = answer.payload
    if not isinstance(payload, dict) or SUMMARY_TO not in payload:
        return answer, ""
    rest = {name: value for name, value in payload.items() if name != SUMMARY_TO}
    try:
        recipient = parse_recipient(str(payload[SUMMARY_TO]))
    except RecipientError:
        logger.warning("Flow %s: %s of the answer is no recipient.", flow.id, SUMMARY_TO)
        recipient = ""
    return Answer(rest), recipient


def _announce(
    exchange: Exchange, flow: FlowSnapshot, request: FlowRequest, reply: JSONValue, recipient: str
) -> None:
    """Put ``flow.completed`` into the outbox, in the transaction that completes the flow.

    The session of the user learns of it, and their summary is queued if we know who they are.
    """
    params = reply["data"]["extension_message_response"]["params"]
    completed_at = datetime.fromtimestamp(exchange.received_at, UTC)
    event: dict[str, Any] = {
        "event": "flow.completed",
        "completed_at": completed_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "flow_token": request.flow_token,
        "params": params,
    }
    summary = ""
    if flow.options.summary_template:
        summary = event["summary"] = fill_summary(flow.options.summary_template, params)
    outbox.enqueue(flow.id, "flow.completed", event, subject=exchange.request_id)
    token = request.flow_token
    if token is None or token in SHARED_TOKENS:
        # The request itself is the occasion: a recorded one sends nothing again.
        occasion = hashlib.sha256(exchange.body).hexdigest()
        sessions.send_to_known(flow, recipient, summary, occasion)
    else:
        sessions.succeed(flow, token, summary=summary, recipient=recipient, at=completed_at)
