"""Kairos at the wire: what all its addresses have in common."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final

from crypto_schemes.envelope import OpenedRequest
from crypto_schemes.errors import AuthenticationError, EnvelopeError
from crypto_schemes.kairos import KairosOptions, authenticate, read_plain
from crypto_schemes.kairos.options import ErrorHTTPStatus
from crypto_schemes.keys import Credentials
from crypto_schemes.scheme import write_json
from flows_endpoint.backends.base import Answer, Call
from flows_endpoint.exchange import Exchange, HttpReply, Reason, Refusal
from flows_endpoint.kairos.errors import CODE_OF, Code, head, http_status, known
from flows_endpoint.kairos.sandbox import KairosSandbox
from flows_endpoint.pipeline import Protocol
from tenants.keyring import FlowSnapshot, keyring

#: Media types a JSON body may come under; none at all is taken as JSON.
_JSON_TYPE: Final = re.compile(
    r"|application/(json|octet-stream|[a-z0-9.+-]+\+json)|text/(json|plain)"
)


class KairosProtocol(Protocol):
    """An address that takes plain JSON with ``flow-id`` and ``security-id``.

    Authority is source IP, flow-id and security-id, in this order; there is no HTTP
    authentication in this contract.
    """

    scheme_name = "kairos"
    sandbox = KairosSandbox()
    #: Whether the body's security-id is asked for.
    authenticated: ClassVar[bool] = True

    def locate(self, exchange: Exchange) -> FlowSnapshot:
        """Return the flow of the body's ``flow-id``."""
        media_type = exchange.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not _JSON_TYPE.fullmatch(media_type):
            raise Refusal(Reason.MALFORMED, step="content_type")
        try:
            flow_id = read_plain(exchange.body).context
        except EnvelopeError as error:
            if error.code == "flow_id":
                raise Refusal(Reason.UNKNOWN_FLOW, step=error.code) from None
            raise
        flow = keyring.by_wire_id(self.scheme_name, str(flow_id))
        if flow is None:
            raise Refusal(Reason.UNKNOWN_FLOW)
        return flow

    def admit(self, exchange: Exchange, flow: FlowSnapshot) -> None:
        """Refuse callers outside the allow-list, and addresses the flow has switched off."""
        super().admit(exchange, flow)
        if not self.is_offered(flow, flow.options):
            raise Refusal(Reason.SOURCE, Code.IP_NOT_WHITELISTED, step="switched off")

    def is_offered(self, flow: FlowSnapshot, options: KairosOptions) -> bool:
        """Return whether the flow answers at this address at all."""
        return True

    def open(
        self, exchange: Exchange, flow: FlowSnapshot, credentials: Credentials
    ) -> OpenedRequest:
        """Return the request with its sender proved (where the address asks for that)."""
        opened = self.read(exchange, flow, credentials)
        if not self.authenticated:
            return opened
        try:
            return authenticate(opened, credentials)
        except AuthenticationError as error:
            code = Code.INVALID_FLOW_ID if error.code == "flow_id" else Code.INVALID_SECURITY_ID
            raise Refusal(Reason.NOT_AUTHENTIC, code, step=error.code) from None

    def read(
        self, exchange: Exchange, flow: FlowSnapshot, credentials: Credentials
    ) -> OpenedRequest:
        """Return the request; plain JSON unless overridden."""
        return read_plain(exchange.body)

    def call(self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest) -> Call:
        """Return what the backend sees; encrypted or plain is one operation to it."""
        return Call(
            request_id=exchange.request_id,
            flow=flow,
            operation=exchange.operation.removeprefix("enc."),
            payload=opened.payload,
            raw=opened.raw,
            received_at=exchange.received_at,
        )

    def seal(
        self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest, answer: Answer
    ) -> HttpReply:
        """Return the answer as plain JSON."""
        sealed = self.scheme.seal_reply(
            answer.payload,
            opened,
            flow.credentials(exchange.received_at),
            flow.options,
            now=exchange.received_at,
        )
        code = answered_code(answer.payload)
        return HttpReply(
            status=200 if code is None else http_status(code, mirror=_mirrors(flow)),
            body=sealed.body,
            content_type=sealed.content_type,
            code="" if code is None else int(code),
        )

    def refuse(self, exchange: Exchange, refusal: Refusal) -> HttpReply:
        """Return the two members of an error, or what an upstream said in their place."""
        code = known(refusal.code) or CODE_OF[refusal.reason]
        status = http_status(code, mirror=exchange.flow is not None and _mirrors(exchange.flow))
        headers = {}
        if refusal.reason is Reason.METHOD:
            status, headers = 405, {"Allow": "POST"}
        elif refusal.reason is Reason.SIZE:
            status = 413
        body = refusal.extra if isinstance(refusal.extra, bytes) else write_json(head(code))
        return HttpReply(status=status, body=body, headers=headers, code=int(code))


def answered_code(payload: Any) -> Code | None:
    """Return the ``api-response-code`` of a backend's answer, None where it has none of ours."""
    return known(payload.get("api-response-code")) if isinstance(payload, dict) else None


def _mirrors(flow: FlowSnapshot) -> bool:
    options: KairosOptions = flow.options
    return options.error_http_status is ErrorHTTPStatus.MIRROR
