"""Kairos: have calls placed, encrypted or plain."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from crypto_schemes.envelope import OpenedRequest, SealedRequest
from crypto_schemes.kairos import KairosOptions
from crypto_schemes.keys import Credentials
from crypto_schemes.scheme import write_json
from flows_endpoint.backends.base import Answer, Backend
from flows_endpoint.backends.select import backend_of
from flows_endpoint.exchange import Exchange, Reason, Refusal
from flows_endpoint.guards import replay
from flows_endpoint.guards.replay import Claim
from flows_endpoint.kairos import allowance
from flows_endpoint.kairos.calls import CallList, read_calls, refuse, require_test_numbers
from flows_endpoint.kairos.errors import ACCEPTING, Code
from flows_endpoint.kairos.protocol import KairosProtocol, answered_code
from tenants.keyring import FlowSnapshot

LIVE_VERSION = "1.0"
TEST_VERSION = "TEST"


class CreateCalls(KairosProtocol):
    """The addresses that take a list of calls.

    Order of checks: JSON, flow-id, IP, opening, flow-id inside, security-id, version, checksum,
    validity, balance, size of the list, mandatory fields, numbers. Whatever is behind
    the gateway gets only what passed all of them.
    """

    def __init__(self, *, encrypted: bool) -> None:
        self._encrypted = encrypted

    def is_offered(self, flow: FlowSnapshot, options: KairosOptions) -> bool:
        """Return whether unencrypted requests are taken; encrypted ones always are."""
        return self._encrypted or options.plain_requests

    def read(
        self, exchange: Exchange, flow: FlowSnapshot, credentials: Credentials
    ) -> OpenedRequest:
        """Decrypt the envelope, or read the plain body."""
        if not self._encrypted:
            return super().read(exchange, flow, credentials)
        return self.scheme.open_request(
            SealedRequest(body=exchange.body, headers=exchange.headers),
            credentials,
            flow.options,
            now=exchange.received_at,
        )

    def check(self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest) -> None:
        """Refuse versions other than 1.0 and TEST."""
        if opened.payload.get("api-version") not in (LIVE_VERSION, TEST_VERSION):
            raise refuse(Code.API_VERSION_NOT_SUPPORTED)

    def once(self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest) -> Claim | None:
        """Claim the exact text of the request; identical bytes are accepted once a window.

        Durable: the claim stands or falls with the calls that were accepted, and outlives a
        restart of whatever holds the short-lived guards.
        """
        options: KairosOptions = flow.options
        claim = replay.claim(
            flow.id,
            "kairos.checksum",
            opened.raw,
            options.checksum_window,
            durable=True,
            leased=not backend_of(flow, self.sandbox).atomic,
        )
        if claim is None:
            raise Refusal(Reason.REPLAYED)
        return claim

    def handle(
        self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest, backend: Backend
    ) -> Answer:
        """Apply the rules that need the flow's account, then have the backend place the calls.

        The backend finds in ``details``: ``accepted`` (the calls that can be placed),
        ``rejected`` (how many cannot), ``is_test`` and ``is_dialer``.
        """
        options: KairosOptions = flow.options
        today = datetime.fromtimestamp(exchange.received_at, UTC).date()
        if options.valid_until is not None and today > options.valid_until:
            raise refuse(Code.VALIDITY_EXPIRED)
        wanted = opened.payload.get("calls")
        asked = len(wanted) if isinstance(wanted, list) else 0
        with allowance.reserved(
            flow.id, max(asked, 1), options.balance, atomic=backend.atomic
        ) as reservation:
            calls = read_calls(wanted)
            is_test = opened.payload["api-version"] == TEST_VERSION
            if is_test:
                require_test_numbers(calls.accepted, options.test_phone_numbers)
            call = self.call(exchange, flow, opened)
            answer = backend.handle(
                replace(
                    call,
                    details={
                        "accepted": calls.accepted,
                        "rejected": calls.rejected,
                        "is_test": is_test,
                        "is_dialer": call.operation.startswith("outbounddialer."),
                    },
                )
            )
            reservation.used = _placed(answer, calls)
        return answer


def _placed(answer: Answer, calls: CallList) -> int:
    """Return how many calls the answer accepts.

    Raises Refusal when it is one of the contract's errors: then nothing was accepted, the
    balance is given back and the same bytes may come again. The partner gets it as it is.
    """
    code = answered_code(answer.payload)
    if code is not None and code not in ACCEPTING:
        raise Refusal(Reason.BUSINESS, code, step="backend", extra=write_json(answer.payload))
    listed = answer.payload.get("call-details") if isinstance(answer.payload, dict) else None
    return (
        min(len(listed), len(calls.accepted)) if isinstance(listed, list) else len(calls.accepted)
    )
