"""Kairos: the two addresses that help a partner with keys, both off for live flows by default."""

from __future__ import annotations

from typing import Final

from django.db.models import Max

from crypto_schemes.envelope import OpenedRequest
from crypto_schemes.errors import SealError
from crypto_schemes.kairos import RSA_KEY, SCHEME, KairosOptions
from flows_endpoint.backends.base import Answer, Backend
from flows_endpoint.exchange import Exchange, Reason, Refusal
from flows_endpoint.kairos.calls import refuse
from flows_endpoint.kairos.errors import Code
from flows_endpoint.kairos.protocol import KairosProtocol
from tenants import lifecycle
from tenants.actors import Actor
from tenants.keyring import FlowSnapshot
from tenants.models import Flow, KeyState

GENERATED: Final = {"response": "RSA Encryption key pair generated.", "responseCode": "200"}


class EncryptData(KairosProtocol):
    """Encrypts a request for its caller, who sends plain text and AES key to have it done."""

    authenticated = False

    def is_transaction(self, exchange: Exchange, opened: OpenedRequest, backend: Backend) -> bool:
        """Return False: no backend has a part in it."""
        return False

    def is_offered(self, flow: FlowSnapshot, options: KairosOptions) -> bool:
        """Return the option ``encrypt_helper``; where it is not set, whether it is a sandbox."""
        return flow.is_sandbox if options.encrypt_helper is None else options.encrypt_helper

    def handle(
        self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest, backend: Backend
    ) -> Answer:
        """Return the envelope of ``requestValue`` under ``aesKey``; no backend is asked."""
        value, key_string = opened.payload.get("requestValue"), opened.payload.get("aesKey")
        if not isinstance(value, str) or not isinstance(key_string, str):
            raise refuse(Code.INVALID_MANDATORY_PARAMETERS, "requestValue or aesKey")
        credentials = flow.credentials(exchange.received_at)
        try:
            return Answer(SCHEME.encrypt_data(value, key_string, credentials, flow.options))
        except SealError as error:
            raise refuse(Code.INVALID_MANDATORY_PARAMETERS, error.code) from None


class GenerateKeyPair(KairosProtocol):
    """Makes a key pair for the flow. Never touches the pair in use.

    Outside of any transaction: a pair takes seconds to find, and SQLite has one writer.
    """

    authenticated = False

    def is_transaction(self, exchange: Exchange, opened: OpenedRequest, backend: Backend) -> bool:
        """Return False: no backend has a part in it."""
        return False

    def is_offered(self, flow: FlowSnapshot, options: KairosOptions) -> bool:
        """Return the option ``partner_key_generation``."""
        return options.partner_key_generation

    def handle(
        self, exchange: Exchange, flow: FlowSnapshot, opened: OpenedRequest, backend: Backend
    ) -> Answer:
        """Make a pair: active when the flow has none, else staged until it is promoted.

        While a staged one waits no other is made: every pair that opens costs each request an
        RSA operation, and anybody on the allow-list may call here.
        """
        row = Flow.objects.get(pk=flow.id)
        pairs = row.keys.filter(purpose=RSA_KEY)
        if not pairs.filter(state=KeyState.STAGED).exists():
            latest = pairs.aggregate(latest=Max("version"))["latest"] or 0
            actor = Actor(
                name=f"partner:{flow.client_slug}",
                address=exchange.source or None,
                request_id=exchange.request_id,
            )
            try:
                lifecycle.generate_key(actor, row, RSA_KEY, version=latest + 1)
            except lifecycle.LifecycleError:
                # A twin of this request was faster; its pair serves both.
                if not pairs.filter(version__gt=latest).exists():
                    raise Refusal(Reason.UNAVAILABLE, step="key pair") from None
        return Answer(dict(GENERATED))
