"""ISU in the pipeline: found by ``pass_key``, opened in two steps, answered sealed or plain.

The header is opened and used up before the body is looked at, and stays used whatever comes
of the request: the endpoint answers differently after that, and a header somebody listened
to must neither serve to try bodies nor have a payout made twice behind a slow upstream. A
partner seals it anew for each call by contract, so a retry needs no old one.
"""

from __future__ import annotations

from typing import ClassVar

from crypto_schemes.envelope import OpenedRequest
from crypto_schemes.errors import AuthenticationError, EnvelopeError, OpenError, SchemeError
from crypto_schemes.isu import OpenedHeader, open_data, open_header
from crypto_schemes.json_text import JSONValue
from crypto_schemes.keys import Credentials
from flows_endpoint.backends import Answer, Backend
from flows_endpoint.exchange import Exchange, HttpReply, Reason, Refusal
from flows_endpoint.guards import replay
from flows_endpoint.isu.errors import OF_CODE, OF_REASON, IsuError
from flows_endpoint.isu.products import business_code, business_failure
from flows_endpoint.isu.sandbox import IsuSandbox
from flows_endpoint.pipeline import Protocol
from tenants.keyring import FlowSnapshot, keyring

_HEADER_ONCE = "isu.header_secrets"
#: Seconds a mark outlives the window, for nodes whose clocks differ.
_MARK_MARGIN = 5.0


class IsuProtocol(Protocol):
    """The contract's order of checks: pass_key, caller, path, header, freshness, body."""

    scheme_name: ClassVar[str] = "isu"
    sandbox = IsuSandbox()

    def locate(self, exchange: Exchange) -> FlowSnapshot:
        """Return the flow of the pass key; its options say which product the path is."""
        given = exchange.headers.get("pass-key")
        if given is None:
            raise _refusal(Reason.NOT_AUTHENTIC, IsuError.PASS_KEY_MISSING, "pass_key_missing")
        # Twins arrive joined by a comma, which no pass key holds.
        flow = None if "," in given else keyring.by_secret("isu", "pass_key", given)
        if flow is None:
            step = "pass_key_twin" if "," in given else "pass_key_unknown"
            raise Refusal(Reason.UNKNOWN_FLOW, step=step)
        products = {path: product for product, path in flow.options.paths.items()}
        exchange.operation = products.get(exchange.path, "")
        return flow

    def open(
        self, exchange: Exchange, flow: FlowSnapshot, credentials: Credentials
    ) -> OpenedRequest:
        """Open header, then body, each with its own error."""
        if not exchange.operation:
            raise _refusal(Reason.MALFORMED, IsuError.PATH_NOT_SERVED, "path")
        try:
            header = open_header(
                exchange.headers, credentials, flow.options, now=exchange.received_at
            )
        except AuthenticationError as error:
            raise _refusal(Reason.NOT_AUTHENTIC, OF_CODE[error.code], error.code) from None
        exchange.opened_by = header.opened_by
        self._use_up(exchange, flow, header)
        media_type = exchange.headers.get("content-type", "").partition(";")[0]
        if media_type.strip().lower() != "application/json":
            raise _refusal(Reason.MALFORMED, IsuError.INVALID_REQUEST_DATA, "content_type")
        try:
            return open_data(exchange.body, header, credentials, flow.options)
        except (EnvelopeError, OpenError) as error:
            reason = Reason.CANNOT_OPEN if isinstance(error, OpenError) else Reason.MALFORMED
            raise _refusal(reason, IsuError.INVALID_REQUEST_DATA, error.code) from None

    def is_transaction(self, exchange: Exchange, opened: OpenedRequest, backend: Backend) -> bool:
        """Return whether the business is a transaction; the sandbox sees to its own.

        Nothing else of a request is in it: the header was claimed before and stays so, and what
        the sandbox answers is members it checked, so sealing it does not fail. If it did, the
        partner would be in the place of one whose answer was lost on the way: the reference is
        taken, and the status check tells what became of it.
        """
        return backend.atomic and backend is not self.sandbox

    def handle(
        self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest, backend: Backend
    ) -> Answer:
        """Have the backend do the business.

        A business failure it raises undoes its work and is still answered sealed, so it
        takes along what sealing needs.
        """
        try:
            return super().handle(exchange, flow, opened, backend)
        except Refusal as refusal:
            if refusal.reason is Reason.BUSINESS:
                refusal.extra = opened
            raise

    def seal(
        self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest, answer: Answer
    ) -> HttpReply:
        """Return ``{"ResponseData": …}`` under the key that opened the request."""
        return self._sealed(exchange, flow, opened, answer.payload)

    def refuse(self, exchange: Exchange, refusal: Refusal) -> HttpReply:
        """Return the entry of the table, or a sealed business failure."""
        code = str(refusal.code)
        if code in IsuError.__members__:
            return IsuError[code].reply
        flow, opened = exchange.flow, refusal.extra
        if refusal.reason is Reason.BUSINESS and flow and isinstance(opened, OpenedRequest):
            payload = business_failure(exchange.operation, code or "Failed", opened.payload)
            try:
                return self._sealed(exchange, flow, opened, payload)
            except SchemeError:
                return IsuError.INTERNAL_FAILURE.reply
        return OF_REASON[refusal.reason].reply

    def _sealed(
        self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest, payload: JSONValue
    ) -> HttpReply:
        sealed = self.scheme.seal_reply(
            payload,
            opened,
            flow.credentials(exchange.received_at),
            flow.options,
            now=exchange.received_at,
        )
        return HttpReply(status=200, body=sealed.body, code=business_code(payload))

    @staticmethod
    def _use_up(exchange: Exchange, flow: FlowSnapshot, header: OpenedHeader) -> None:
        """Claim the header until it is stale, unless the flow has the guard off."""
        if header.once is None:
            return
        stale_at = header.issued_at + flow.options.epoch_window
        seconds = stale_at - exchange.received_at + _MARK_MARGIN
        if replay.claim(flow.id, _HEADER_ONCE, header.once, seconds, durable=False) is None:
            raise Refusal(Reason.REPLAYED, step="header_secrets")


def _refusal(reason: Reason, error: IsuError, step: str = "") -> Refusal:
    return Refusal(reason, error.name, step=step)
