"""Flynn at the wire: the operations that come with a user token."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from crypto_schemes.envelope import OpenedRequest, SealedRequest
from crypto_schemes.errors import SealError
from crypto_schemes.flynn import (
    SCHEME,
    RekError,
    SensitiveValueError,
    authenticate,
    seal_client_message,
)
from crypto_schemes.flynn.tokens import PORTAL_PASSWORD, Claims, match_secret
from crypto_schemes.json_text import JSONValue
from crypto_schemes.keys import Credentials
from crypto_schemes.scheme import write_json
from flows_endpoint.backends import Answer, Backend, Call
from flows_endpoint.exchange import Exchange, HttpReply, Reason, Refusal
from flows_endpoint.flynn import envelopes, sessions
from flows_endpoint.flynn.envelopes import Version
from flows_endpoint.flynn.errors import MEANINGS, Err, failure_of, invalid
from flows_endpoint.flynn.operations import (
    AUTHENTICATE_WITH_SECRETS,
    has_portal_session,
    methods_of,
    portal_error_of,
    portal_of,
    read_portal_user,
    remember_portal_session,
)
from flows_endpoint.flynn.sandbox import FlynnSandbox
from flows_endpoint.pipeline import Protocol
from tenants.keyring import FlowSnapshot, keyring

PONG: Final = "pong"
#: An invoice of a thousand items has some hundred kilobytes; the portals take two megabytes.
_MAX_BODY: Final = 2 * 1024 * 1024


class FlynnBase(Protocol):
    """What every address has in common: envelopes, errors, methods."""

    scheme_name = "flynn"
    sandbox = FlynnSandbox()

    def check_method(self, exchange: Exchange) -> None:
        """Refuse methods the operation does not take."""
        if exchange.method not in methods_of(exchange.operation):
            raise Refusal(Reason.METHOD)

    def seal(
        self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest, answer: Answer
    ) -> HttpReply:
        """Return the answer as ``data`` of the address's envelope."""
        value = envelopes.success(
            version_of(exchange), answer.payload, data_as_string=flow.options.v1_data_as_string
        )
        return HttpReply(status=200, body=write_json(value))

    def refuse(self, exchange: Exchange, refusal: Refusal) -> HttpReply:
        """Return the entry of the error table in the address's envelope."""
        failure = failure_of(refusal, portal_error_of(exchange.operation))
        headers = {}
        if failure.err is Err.METHOD:
            headers["Allow"] = ", ".join(methods_of(exchange.operation))
        try:
            body = write_json(envelopes.failure(version_of(exchange), failure.value))
        except SealError:  # args of somebody's own backend that are not JSON
            bare = replace(failure, args={})
            body = write_json(envelopes.failure(version_of(exchange), bare.value))
        return HttpReply(failure.status, body, headers=headers, code=failure.err.value)


class FlynnProtocol(FlynnBase):
    """The authentication checks and the operations of both portals."""

    max_body = _MAX_BODY

    def locate(self, exchange: Exchange) -> FlowSnapshot:
        """Return the flow of the organisation."""
        org_id = exchange.headers.get("x-flynn-n-org-id", "").lower()
        flow = keyring.by_wire_id(self.scheme_name, org_id) if org_id else None
        if flow is None:
            raise Refusal(Reason.UNKNOWN_FLOW)
        return flow

    def open(
        self, exchange: Exchange, flow: FlowSnapshot, credentials: Credentials
    ) -> OpenedRequest:
        """Authenticate token and session, then open the encrypted headers.

        The session is looked up before anything is opened: who was shut out learns nothing
        of a key any more.
        """
        token = authenticate(exchange.headers, credentials, now=exchange.received_at)
        sessions.require_live(flow, token.claims, credentials)
        exchange.opened_by = (token.version,)
        try:
            return SCHEME.open_authenticated(
                SealedRequest(body=exchange.body, headers=exchange.headers),
                token,
                credentials,
                flow.options,
            )
        except (RekError, SensitiveValueError) as error:
            err = Err.REK if isinstance(error, RekError) else Err.SENSITIVE_VALUE
            raise _CannotOpen(err, error.code, token.claims) from None

    def check(self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest) -> None:
        """Refuse a call of a portal without portal user, password or portal session."""
        portal = portal_of(exchange.operation)
        if portal is None:
            if (
                exchange.operation == AUTHENTICATE_WITH_SECRETS
                and "data" not in opened.payload["sensitive"]
            ):
                raise invalid("headers.X-FLYNN-S-DATA")
            return
        user = read_portal_user(portal, opened.payload)
        now = exchange.received_at
        if user.password is None and not has_portal_session(
            flow, flow.credentials(now), portal, user, now
        ):
            raise Refusal(Reason.BUSINESS, Err.EMPTY_PASSWORD)

    def is_transaction(self, exchange: Exchange, opened: OpenedRequest, backend: Backend) -> bool:
        """Return whether the operation is a portal's, and the backend wants one."""
        return backend.atomic and portal_of(exchange.operation) is not None

    def handle(
        self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest, backend: Backend
    ) -> Answer:
        """Answer the authentication checks; have the backend do what is a portal's."""
        portal = portal_of(exchange.operation)
        if portal is None:
            return Answer(_pong(exchange, opened))
        answer = backend.handle(self.call(exchange, flow, opened))
        _refuse_failure(answer)
        user = read_portal_user(portal, opened.payload)
        now = exchange.received_at
        credentials = flow.credentials(now)
        remember_portal_session(flow, credentials, portal, user, now)
        if user.password is not None:
            # Who still uses an old password must be seen before it is retired.
            used = match_secret(PORTAL_PASSWORD, user.password, credentials)
            exchange.opened_by += (used,) if used else ()
        return answer

    def call(self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest) -> Call:
        """Return what the backend sees; ``details`` is what method, address and query say."""
        route = {name: text for name, text in exchange.route.items() if name != "version"}
        return Call(
            request_id=exchange.request_id,
            flow=flow,
            operation=exchange.operation,
            payload=opened.payload,
            raw=opened.raw,
            received_at=exchange.received_at,
            details={"method": exchange.method, "route": route, "query": dict(exchange.query)},
        )

    def after_refusal(self, exchange: Exchange, refusal: Refusal) -> None:
        """Count a request that did not open against its session."""
        if isinstance(refusal, _CannotOpen) and exchange.flow is not None:
            sessions.count_failed_opening(exchange.flow, refusal.claims, now=exchange.received_at)


class UnknownAddress(FlynnBase):
    """Answers for addresses that the contract does not have."""

    def check_method(self, exchange: Exchange) -> None:
        """Refuse."""
        raise Refusal(Reason.MALFORMED, Err.NOT_FOUND, step="address")

    def locate(self, exchange: Exchange) -> FlowSnapshot:
        """Refuse: no flow is at such an address."""
        raise Refusal(Reason.MALFORMED, Err.NOT_FOUND, step="address")


class _CannotOpen(Refusal):
    """An encrypted header did not open; carries whose request it was."""

    def __init__(self, err: Err, step: str, claims: Claims) -> None:
        super().__init__(Reason.CANNOT_OPEN, err, step=step)
        self.claims = claims


def version_of(exchange: Exchange) -> Version:
    """Return the envelope the address answers in."""
    return Version(exchange.route.get("version", Version.V2))


def _pong(exchange: Exchange, opened: OpenedRequest) -> JSONValue:
    if exchange.operation != AUTHENTICATE_WITH_SECRETS:
        return {"message": PONG}
    message = seal_client_message(opened.payload["sensitive"]["data"], opened)
    return {"message": PONG, "client-message": message}


def _refuse_failure(answer: Answer) -> None:
    """Raise the error a backend answered with: ``{"error": {"message": …, "args": {…}}}``.

    The message must be one of the table's; anything else is data of the backend's own shape.
    """
    payload = answer.payload
    if not isinstance(payload, dict) or payload.keys() != {"error"}:
        return
    error = payload["error"]
    message = error.get("message") if isinstance(error, dict) else None
    if not isinstance(message, str) or message not in MEANINGS:
        raise Refusal(Reason.UPSTREAM_ANSWER, step="error")
    args = error.get("args")
    raise Refusal(
        Reason.BUSINESS,
        Err(message),
        step="upstream",
        extra=args if isinstance(args, dict) else None,
    )
