"""The webhook address at the wire: prove that it is ours, then take what is signed, fast."""

from __future__ import annotations

from django.db import transaction

from crypto_schemes.envelope import OpenedRequest
from crypto_schemes.keys import Credentials
from crypto_schemes.whatsapp_flows.signatures import (
    SIGNATURE_HEADER,
    answer_challenge,
    verify_body,
)
from flows_endpoint.backends import Answer, Backend
from flows_endpoint.exchange import Exchange, HttpReply, Reason, Refusal
from flows_endpoint.pipeline import Protocol
from flows_endpoint.whatsapp_flows import updates
from flows_endpoint.whatsapp_flows.errors import webhook_status_of
from flows_endpoint.whatsapp_flows.sandbox import AppointmentSandbox
from tenants.keyring import FlowSnapshot, keyring

CHALLENGE = "webhook_challenge"
UPDATES = "webhook_updates"


class WhatsAppWebhookProtocol(Protocol):
    """GET answers the platform's challenge, POST stores updates. No backend takes part."""

    scheme_name = "whatsapp_flows"
    max_body = 3 * 1024 * 1024
    sandbox = AppointmentSandbox()

    def check_method(self, exchange: Exchange) -> None:
        """Take GET and POST, and name the operation after them."""
        operations = {"GET": CHALLENGE, "POST": UPDATES}
        if exchange.method not in operations:
            raise Refusal(Reason.METHOD)
        exchange.operation = operations[exchange.method]

    def locate(self, exchange: Exchange) -> FlowSnapshot:
        """Return the flow whose address stands in the URL."""
        flow = keyring.by_wire_id(self.scheme_name, exchange.route["address"])
        if flow is None:
            raise Refusal(Reason.UNKNOWN_FLOW)
        return flow

    def open(
        self, exchange: Exchange, flow: FlowSnapshot, credentials: Credentials
    ) -> OpenedRequest:
        """Check the verify token (GET) or the signature over the raw body (POST)."""
        if exchange.operation == CHALLENGE:
            challenge, token = answer_challenge(
                exchange.query, credentials.accepted("verify_token")
            )
            return OpenedRequest(payload=challenge, raw=b"", opened_by=(token,))
        secret = verify_body(
            exchange.body,
            exchange.headers.get(SIGNATURE_HEADER),
            credentials.accepted("app_secret"),
        )
        return OpenedRequest(payload=None, raw=exchange.body, opened_by=(secret,))

    def handle(
        self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest, backend: Backend
    ) -> Answer:
        """Store the updates, whatever the flow's backend."""
        if exchange.operation == UPDATES:
            with transaction.atomic():
                updates.store(flow.id, opened.raw, exchange.received_at)
        return Answer(opened.payload)

    def seal(
        self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest, answer: Answer
    ) -> HttpReply:
        """Return the challenge, or nothing."""
        if exchange.operation == CHALLENGE:
            return HttpReply(200, str(answer.payload).encode("ascii"), "text/plain")
        return HttpReply(200, content_type="")

    def refuse(self, exchange: Exchange, refusal: Refusal) -> HttpReply:
        """Return the status alone."""
        status = webhook_status_of(refusal.reason)
        headers = {"Allow": "GET, POST"} if refusal.reason is Reason.METHOD else {}
        return HttpReply(status, content_type="", headers=headers, code=status)
