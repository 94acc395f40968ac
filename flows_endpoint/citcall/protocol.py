"""CitCall at the wire: who calls, what may not come twice, and what an error looks like."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from django.conf import settings

from crypto_schemes import json_text
from crypto_schemes.citcall import API_KEY, parse_authorization
from crypto_schemes.envelope import OpenedRequest
from flows_endpoint.backends import Answer, Backend
from flows_endpoint.citcall import repeats
from flows_endpoint.citcall.errors import Rc, failure_of, is_rc
from flows_endpoint.citcall.orders import Order, read_order
from flows_endpoint.citcall.sandbox import CitCallSandbox
from flows_endpoint.exchange import Exchange, HttpReply, Reason, Refusal
from flows_endpoint.guards import attempts, replay
from flows_endpoint.guards.replay import Claim
from flows_endpoint.pipeline import Protocol
from tenants.keyring import FlowSnapshot, keyring

#: Wrong API keys of one address are counted within so many seconds.
_ATTEMPTS_WINDOW: Final = 60
#: Seconds a mark outlives the window, for nodes whose clocks differ.
_MARK_MARGIN: Final = 5.0


class CitCallProtocol(Protocol):
    """The one operation of the contract. Every reply has HTTP status 200."""

    scheme_name = "citcall"
    #: A request has some hundred bytes.
    max_body = 16 * 1024
    sandbox = CitCallSandbox()

    def locate(self, exchange: Exchange) -> FlowSnapshot:
        """Return the flow the Authorization header names, by userid or by API key alone."""
        given = parse_authorization(exchange.headers.get("authorization"))
        if given.userid is not None:
            flow = keyring.by_wire_id(self.scheme_name, given.userid)
            step = "unknown_userid"
        else:
            flow = keyring.by_secret(self.scheme_name, API_KEY, given.api_key)
            step = "unknown_api_key"
        if flow is None:
            raise Refusal(Reason.UNKNOWN_FLOW, step=step)
        return flow

    def admit(self, exchange: Exchange, flow: FlowSnapshot) -> None:
        """Refuse addresses that are not allowed, or that guess at this userid's API key."""
        super().admit(exchange, flow)
        attempts.check(
            flow.id,
            exchange.source,
            limit=flow.options.attempts_per_minute,
            window=_ATTEMPTS_WINDOW,
        )

    def check(self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest) -> None:
        """Refuse another content type, missing members, and members of the wrong form."""
        media_type = exchange.headers.get("content-type", "").partition(";")[0]
        if media_type.strip().lower() != "application/json":
            raise Refusal(Reason.MALFORMED, step="content-type")
        exchange.said = read_order(opened.payload)

    def is_transaction(self, exchange: Exchange, opened: OpenedRequest, backend: Backend) -> bool:
        """Return whether the request is one; the sandbox's part needs none around it.

        What is to stand or fall with the call: the reply to its id, and the mark of the cipher
        text where that is a row. Where it is none, a call whose reply cannot be sealed stands, and
        so does the mark: the same message places no other.
        """
        order: Order = exchange.said
        has_rows = order.client_unique_id is not None or not settings.REDIS_URL
        return backend.atomic and (has_rows or backend is not self.sandbox)

    def once(self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest) -> Claim | None:
        """Take each cipher text once, for as long as its time stamp would be accepted.

        One that names a client unique id may come again: it gets the first reply, or none. A
        partner that sends a message again within the second sends the very same cipher text.
        """
        if opened.once is None or opened.issued_at is None:
            raise Refusal(Reason.INTERNAL, step="nothing to claim")
        stale_at = opened.issued_at + flow.options.max_skew
        seconds = stale_at - exchange.received_at + _MARK_MARGIN
        claim = replay.claim(flow.id, "citcall.data", opened.once, seconds, durable=False)
        if claim is None:
            order: Order = exchange.said
            if order.client_unique_id is None:
                raise Refusal(Reason.REPLAYED)
            exchange.said = replace(order, is_repeated=True)
        return claim

    def handle(
        self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest, backend: Backend
    ) -> Answer:
        """Have the call placed, or return the first reply to a repeated client unique id."""

        order: Order = exchange.said

        def ask() -> Answer:
            if order.is_repeated:  # what came first was not served, or is no longer known
                raise Refusal(Reason.REPLAYED)
            answer = backend.handle(self.call(exchange, flow, opened))
            _refuse_failure(answer)
            return answer

        if order.client_unique_id is None:
            return ask()
        return repeats.answer_once(flow.id, order.client_unique_id, ask, atomic=backend.atomic)

    def seal(
        self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest, answer: Answer
    ) -> HttpReply:
        """Return the sealed success."""
        reply = self.scheme.seal_reply(
            answer.payload,
            opened,
            flow.credentials(exchange.received_at),
            flow.options,
            now=exchange.received_at,
        )
        return HttpReply(200, reply.body, reply.content_type, code=Rc.SUCCESS)

    def refuse(self, exchange: Exchange, refusal: Refusal) -> HttpReply:
        """Return the plain failure: rc and info, nothing else."""
        rc, info = failure_of(refusal)
        body = json_text.compact({"rc": rc, "info": info}, ascii_only=True)
        return HttpReply(200, body, code=rc)

    def after_refusal(self, exchange: Exchange, refusal: Refusal) -> None:
        """Count a wrong API key of this address with this userid.

        Only that is a guess: what fails later came with the right key, and a partner whose clock
        or cipher is wrong must not be locked out while putting it right.
        """
        if exchange.flow is not None and refusal.reason is Reason.NOT_AUTHENTIC:
            attempts.count_failure(exchange.flow.id, exchange.source, window=_ATTEMPTS_WINDOW)


def _refuse_failure(answer: Answer) -> None:
    """Raise the failure a backend answered with: failures are plain and are not remembered.

    Whatever has an ``rc`` other than 00 is a failure; what has none is a success of the
    backend's own shape and is sealed as it is.
    """
    if not isinstance(answer.payload, dict) or "rc" not in answer.payload:
        return
    rc = answer.payload["rc"]
    if rc == Rc.SUCCESS:
        return
    if not is_rc(rc):
        raise Refusal(Reason.UPSTREAM_ANSWER, step="rc")
    raise Refusal(Reason.BUSINESS, rc, extra=answer.payload.get("info"))
