"""The authentication service: log in, renew a token, log out. Plain JSON, nothing encrypted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from crypto_schemes import json_text
from crypto_schemes.ciphers import mac
from crypto_schemes.envelope import OpenedRequest
from crypto_schemes.flynn import tokens
from crypto_schemes.flynn.tokens import PASSWORD
from crypto_schemes.json_text import JSONTextError, JSONValue
from crypto_schemes.keys import Credentials
from flows_endpoint.backends import Answer, Backend
from flows_endpoint.exchange import Exchange, Reason, Refusal
from flows_endpoint.flynn import sessions
from flows_endpoint.flynn.errors import Err, invalid
from flows_endpoint.flynn.fields import Fields
from flows_endpoint.flynn.operations import LOG_IN, LOG_OUT
from flows_endpoint.flynn.protocol import FlynnBase
from flows_endpoint.guards import attempts
from tenants.keyring import FlowSnapshot, keyring

#: Failed log-ins of one handle from one address are counted within so many seconds…
_WINDOW: Final = 900
#: …and this many are let pass.
_MOST_FAILURES: Final = 10
_ATTEMPTS: Final = "flynn.log_in"
_LONGEST: Final = 512
_BEARER: Final = "bearer "


@dataclass(frozen=True, slots=True)
class LogIn:
    """A log-in as it was asked for; ``repr`` shows nothing of it."""

    handle: str = field(repr=False)
    password: str = field(repr=False)
    minutes: int | None = None


def read_log_in(body: bytes) -> LogIn:
    """Return the log-in in ``body``. Raises Refusal (err-invalid-request-body)."""
    try:
        value = json_text.parse(body)
    except JSONTextError:
        raise Refusal(Reason.MALFORMED, step="body") from None
    fields = Fields(value)
    handle = fields.text("handle", _LONGEST)
    fields.choice("handleType", "email", "mobile")
    password = fields.text("password", _LONGEST)
    minutes = value.get("tokenDurationInMins")
    if minutes is not None and (type(minutes) is not int or minutes < 1):
        raise invalid("body.tokenDurationInMins")
    return LogIn(handle.strip().lower(), password, minutes)


class TheodoreProtocol(FlynnBase):
    """Log-in, renewal and log-out, whatever backend the flow has."""

    max_body = 16 * 1024

    def locate(self, exchange: Exchange) -> FlowSnapshot:
        """Return the flow: of handle and password, or of the organisation the token names."""
        if exchange.operation == LOG_IN:
            return self._flow_of_user(exchange)
        org_id = tokens.claimed_org(_token(exchange))
        flow = keyring.by_wire_id(self.scheme_name, org_id) if org_id else None
        if flow is None:
            raise Refusal(Reason.NOT_AUTHENTIC, Err.INVALID_TOKEN, step="token")
        return flow

    def open(
        self, exchange: Exchange, flow: FlowSnapshot, credentials: Credentials
    ) -> OpenedRequest:
        """Prove password or token with the flow's own keys."""
        if exchange.operation == LOG_IN:
            asked = read_log_in(exchange.body)
            version = tokens.match_secret(PASSWORD, asked.password, credentials)
            if version is None:
                raise _wrong_credentials(exchange, asked)
            return OpenedRequest(None, b"null", opened_by=(version,), context=asked)
        token = tokens.read(_token(exchange), credentials, now=exchange.received_at)
        if flow.identity["org_id"] not in token.claims.org_ids:
            raise Refusal(Reason.NOT_AUTHENTIC, Err.INVALID_ORG, step="org")
        sessions.require_live(flow, token.claims, credentials)
        return OpenedRequest(None, b"null", opened_by=(token.version,), context=token.claims)

    def handle(
        self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest, backend: Backend
    ) -> Answer:
        """Begin, go on with or end the session."""
        now = exchange.received_at
        credentials = flow.credentials(now)
        if exchange.operation == LOG_OUT:
            sessions.log_out(opened.context, now=now)
            return Answer({"message": "logged-out"})
        if exchange.operation == LOG_IN:
            (password,) = opened.opened_by
            issued = sessions.log_in(
                flow, credentials, password, now=now, minutes=opened.context.minutes
            )
        else:
            issued = sessions.renew(opened.context, credentials, now=now)
        return Answer(_issued(flow, issued))

    def after_refusal(self, exchange: Exchange, refusal: Refusal) -> None:
        """Count a failed log-in of this handle from this address."""
        if isinstance(refusal, _WrongCredentials):
            attempts.count_failure(_ATTEMPTS, refusal.who, window=_WINDOW)

    def _flow_of_user(self, exchange: Exchange) -> FlowSnapshot:
        """Return the flow of handle and password.

        The password is a random token and finds the flow; a handle that is not that flow's
        is as wrong as an unknown password.
        """
        asked = read_log_in(exchange.body)
        attempts.check(_ATTEMPTS, _who(exchange, asked), limit=_MOST_FAILURES, window=_WINDOW)
        flow = keyring.by_secret(self.scheme_name, PASSWORD, asked.password)
        if flow is None or not mac.equal(flow.identity["handle"], asked.handle):
            raise _wrong_credentials(exchange, asked)
        return flow


class _WrongCredentials(Refusal):
    """A failed log-in; ``who`` is what it is counted under."""

    def __init__(self, who: str) -> None:
        super().__init__(Reason.NOT_AUTHENTIC, Err.INVALID_CREDENTIALS, step="credentials")
        self.who = who


def _wrong_credentials(exchange: Exchange, asked: LogIn) -> Refusal:
    return _WrongCredentials(_who(exchange, asked))


def _who(exchange: Exchange, asked: LogIn) -> str:
    return f"{exchange.source}|{asked.handle}"


def _token(exchange: Exchange) -> str:
    """Return the token of ``Authorization: Bearer``, or of the contract's own header."""
    given = exchange.headers.get("authorization", "")
    if given[: len(_BEARER)].lower() == _BEARER:
        return given[len(_BEARER) :].strip()
    return exchange.headers.get("x-flynn-n-user-token", "")


def _issued(flow: FlowSnapshot, issued: sessions.Issued) -> dict[str, JSONValue]:
    claims = issued.claims
    return {
        "token": issued.token,
        "userId": claims.user_id,
        "expiry": claims.expires_at * 1000,
        "email": flow.identity["handle"],
        "mobile": None,
        "givenName": flow.client_slug,
        "lastName": "",
        "associatedOrgs": [
            {
                "userAccessInfo": {"primary": True, "admin": True},
                "organisation": {
                    "id": flow.identity["org_id"],
                    "name": flow.client_slug,
                    "taxIdentifier": flow.identity["gstin"],
                    "taxIdentifierType": "GSTIN",
                    "country": "IN",
                    "services": [
                        {"serviceCode": "einv", "serviceName": "E-invoices"},
                        {"serviceCode": "eway", "serviceName": "E-way bills"},
                    ],
                },
            }
        ],
    }
