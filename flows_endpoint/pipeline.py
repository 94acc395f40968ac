"""The one path every request of every contract takes.

locate → admit → open → once → handle → seal → note. One direction, no step goes back. A contract
is a :class:`Protocol`: it says how its requests name their flow, what its errors look like on the
wire, and which rules of business come before the backend. Everything else stands here.
"""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import nullcontext
from functools import lru_cache
from typing import Any, ClassVar

from django.core.exceptions import SuspiciousOperation
from django.db import DatabaseError, transaction
from django.http import HttpRequest, HttpResponse

from crypto_schemes import registry
from crypto_schemes.envelope import OpenedRequest, SealedRequest
from crypto_schemes.errors import (
    AuthenticationError,
    EnvelopeError,
    FreshnessError,
    KeyUnavailableError,
    OpenError,
    SchemeError,
)
from crypto_schemes.keys import Credentials
from crypto_schemes.scheme import Scheme
from flows_endpoint import exchange_log
from flows_endpoint.backends.base import Answer, Backend, Call
from flows_endpoint.backends.select import backend_of
from flows_endpoint.exchange import Exchange, HttpReply, Reason, Refusal
from flows_endpoint.guards.body import read_body
from flows_endpoint.guards.replay import Claim
from flows_endpoint.guards.source import admit, caller_address
from tenants import trace
from tenants.at_rest import AtRestError
from tenants.error_places import place_of
from tenants.keyring import FlowSnapshot

logger = logging.getLogger(__name__)

_REASON_OF: tuple[tuple[type[SchemeError], Reason], ...] = (
    (AuthenticationError, Reason.NOT_AUTHENTIC),
    (EnvelopeError, Reason.MALFORMED),
    (FreshnessError, Reason.STALE),
    (OpenError, Reason.CANNOT_OPEN),
    (KeyUnavailableError, Reason.UNAVAILABLE),
    (SchemeError, Reason.INTERNAL),
)


class Protocol(ABC):
    """One contract at the wire. Stateless; one instance a process.

    Implement :meth:`locate`, :meth:`seal` and :meth:`refuse`; override the others where the
    contract differs. Raise :class:`Refusal` anywhere.
    """

    #: Name in crypto_schemes.registry.
    scheme_name: ClassVar[str]
    #: Largest request body in bytes.
    max_body: ClassVar[int] = 256 * 1024
    #: The contract's own imitation of the vendor's service.
    sandbox: Backend

    @property
    def scheme(self) -> Scheme[Any]:
        """Return the pure scheme."""
        return registry.get(self.scheme_name)

    def check_method(self, exchange: Exchange) -> None:
        """Refuse methods the contract does not take; only POST unless overridden."""
        if exchange.method != "POST":
            raise Refusal(Reason.METHOD)

    @abstractmethod
    def locate(self, exchange: Exchange) -> FlowSnapshot:
        """Return the flow the request is for. Raises Refusal (unknown_flow, malformed…)."""

    def admit(self, exchange: Exchange, flow: FlowSnapshot) -> None:
        """Refuse callers outside the flow's networks; override to limit attempts too."""
        admit(flow, exchange.source)

    def open(
        self, exchange: Exchange, flow: FlowSnapshot, credentials: Credentials
    ) -> OpenedRequest:
        """Authenticate and decrypt. SchemeErrors become Refusals by themselves."""
        return self.scheme.open_request(
            SealedRequest(body=exchange.body, headers=exchange.headers),
            credentials,
            flow.options,
            now=exchange.received_at,
        )

    def check(self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest) -> None:
        """Apply the rules that need no state and hold whatever the backend. Raises Refusal."""
        return

    def is_transaction(self, exchange: Exchange, opened: OpenedRequest, backend: Backend) -> bool:
        """Return whether guard, business and answer stand or fall in one transaction."""
        return backend.atomic

    def once(self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest) -> Claim | None:
        """Claim what must not be seen twice; raise Refusal (replayed) when it was."""
        return None

    def handle(
        self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest, backend: Backend
    ) -> Answer:
        """Have the backend do the business. Runs in the transaction of an atomic backend."""
        return backend.handle(self.call(exchange, flow, opened))

    def call(self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest) -> Call:
        """Return what the backend gets to see."""
        return Call(
            request_id=exchange.request_id,
            flow=flow,
            operation=exchange.operation,
            payload=opened.payload,
            raw=opened.raw,
            received_at=exchange.received_at,
            details=dict(exchange.route),
        )

    @abstractmethod
    def seal(
        self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest, answer: Answer
    ) -> HttpReply:
        """Return the reply of a served request."""

    @abstractmethod
    def refuse(self, exchange: Exchange, refusal: Refusal) -> HttpReply:
        """Return the contract's own error reply. Must never raise."""

    def after_refusal(self, exchange: Exchange, refusal: Refusal) -> None:
        """Do what a refusal entails (count a failed attempt). Outside any transaction."""
        return


def serve(
    protocol: Protocol, request: HttpRequest, operation: str, route: Mapping[str, str] | None = None
) -> HttpResponse:
    """Serve ``request`` as ``operation`` of ``protocol``; never raises."""
    exchange = Exchange(
        request_id=str(getattr(request, "request_id", "")),
        scheme=protocol.scheme_name,
        operation=operation,
        method=request.method or "",
        path=request.path,
        source=caller_address(request),
        received_at=time.time(),
        route=dict(route or {}),
        headers=_headers(request),
        trace=trace.current(),
    )
    refusal: Refusal | None = None
    try:
        exchange.query = _query(request)
        reply = _walk(protocol, exchange, request)
    except Exception as error:  # noqa: BLE001 - the one place that must answer, whatever happened
        refusal = _as_refusal(error)
        reply = _refuse(protocol, exchange, refusal)
    exchange_log.note(exchange, reply, refusal)
    response = HttpResponse(reply.body, status=reply.status, content_type=reply.content_type)
    if not reply.body and not reply.content_type:
        del response["Content-Type"]
    for name, value in reply.headers.items():
        response[name] = value
    response["Cache-Control"] = "no-store"
    # It stands in the exchange log; Django would report a contract's own 5xx as a crash.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _walk(protocol: Protocol, exchange: Exchange, request: HttpRequest) -> HttpReply:
    protocol.check_method(exchange)
    exchange.body = read_body(request, protocol.max_body)
    flow = exchange.flow = protocol.locate(exchange)
    protocol.admit(exchange, flow)
    opened = protocol.open(exchange, flow, flow.credentials(exchange.received_at))
    exchange.opened_by = opened.opened_by
    protocol.check(exchange, flow, opened)
    backend = backend_of(flow, protocol.sandbox)
    exchange.in_transaction = protocol.is_transaction(exchange, opened, backend)
    claim: Claim | None = None
    is_done = False
    try:
        with transaction.atomic() if exchange.in_transaction else nullcontext():
            claim = protocol.once(exchange, flow, opened)
            answer = protocol.handle(exchange, flow, opened, backend)
            # Of what is done elsewhere nobody knows: an error leaves it to the partner.
            is_done = backend.atomic and not exchange.in_transaction
            reply = protocol.seal(exchange, flow, opened, answer)
        if claim is not None:
            claim.confirm()
    except BaseException:
        # What is done stands, although nobody was told: the same message must not do it again. A
        # row written inside the transaction is gone with it and may be another's by now.
        if claim is not None and not is_done and (claim.in_redis or not exchange.in_transaction):
            claim.release()
        raise
    return reply


def _as_refusal(error: Exception) -> Refusal:
    if isinstance(error, Refusal):
        return error
    if isinstance(error, SchemeError):
        for kind, reason in _REASON_OF:
            if isinstance(error, kind):
                return Refusal(reason, step=error.code)
    if isinstance(error, AtRestError):
        logger.error("A stored secret cannot be read: %s", error)
        return Refusal(Reason.UNAVAILABLE, step=f"at_rest:{error.code}")
    if isinstance(error, DatabaseError):
        logger.error("The database refused: %s at %s", type(error).__name__, place_of(error))
        return Refusal(Reason.UNAVAILABLE, step=f"database:{type(error).__name__}")
    # Type and place only: the text of a foreign exception may quote what was opened.
    logger.error("Unexpected %s at %s", type(error).__name__, place_of(error))
    return Refusal(Reason.INTERNAL, step=type(error).__name__)


def _refuse(protocol: Protocol, exchange: Exchange, refusal: Refusal) -> HttpReply:
    try:
        protocol.after_refusal(exchange, refusal)
    except Exception as error:  # noqa: BLE001 - the refusal itself is answered, whatever happened
        logger.error("A refusal could not be counted: %s", type(error).__name__)  # noqa: TRY400
    return protocol.refuse(exchange, refusal)


def _query(request: HttpRequest) -> dict[str, str]:
    if not request.META.get("QUERY_STRING"):
        return {}
    try:
        return {name: request.GET.get(name, "") for name in request.GET}
    except SuspiciousOperation:  # more parameters than Django takes
        raise Refusal(Reason.MALFORMED, step="query") from None


def _headers(request: HttpRequest) -> dict[str, str]:
    headers = {
        _header_name(name): value
        for name, value in request.META.items()
        if name.startswith("HTTP_") and isinstance(value, str)
    }
    headers["content-type"] = request.META.get("CONTENT_TYPE", "")
    return headers


@lru_cache(maxsize=512)
def _header_name(name: str) -> str:
    return name[5:].lower().replace("_", "-")
