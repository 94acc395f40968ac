"""The addresses of the contract, and how the OpenAPI document describes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema

from flows_endpoint.kairos import openapi
from flows_endpoint.kairos.create import CreateCalls
from flows_endpoint.kairos.key_help import EncryptData, GenerateKeyPair
from flows_endpoint.kairos.pull import PullCalls
from flows_endpoint.views import ProtocolView

_Post = Callable[[Any, HttpRequest], HttpResponse]
_TAGS = ["Kairos"]
_CREATE = (
    "Takes 1 to 500 calls. Authority is source address, flow-id and security-id; there is no HTTP "
    "authentication. Sending the same bytes again within the flow's window answers 201. "
)


def _places(name: str, what: str, *, encrypted: bool) -> Callable[[_Post], _Post]:
    """Describe an address that takes ``what`` from partners, sealed or as they are."""
    described: Callable[[_Post], _Post] = extend_schema(
        operation_id=f"kairos_{name}",
        tags=_TAGS,
        auth=[],
        summary=f"Place {what}, {'encrypted' if encrypted else 'unencrypted'}",
        description=_CREATE
        + (
            "Anything that cannot be opened answers 400, whatever the reason."
            if encrypted
            else "A flow may have this address switched off (401)."
        ),
        request={"application/json": openapi.ENVELOPE if encrypted else openapi.PLAIN},
        responses=openapi.ACCEPTED_REPLIES,
        examples=openapi.sealed_examples() if encrypted else openapi.plain_examples(),
    )
    return described


class CreateEncryptedView(ProtocolView):
    """``POST /kairos-apis/enc/outbound/create``."""

    protocol = CreateCalls(encrypted=True)
    operation = "enc.outbound.create"

    @_places("create_encrypted", "calls", encrypted=True)
    def post(self, request: HttpRequest) -> HttpResponse:
        """Place calls."""
        return self.dispatch(request)


class CreatePlainView(ProtocolView):
    """``POST /kairos-apis/outbound/create``."""

    protocol = CreateCalls(encrypted=False)
    operation = "outbound.create"

    @_places("create_plain", "calls", encrypted=False)
    def post(self, request: HttpRequest) -> HttpResponse:
        """Place calls."""
        return self.dispatch(request)


class DialerCreateEncryptedView(ProtocolView):
    """``POST /kairos-apis/enc/outbounddialer/create``."""

    protocol = CreateCalls(encrypted=True)
    operation = "enc.outbounddialer.create"

    @_places("dialer_create_encrypted", "dialer calls", encrypted=True)
    def post(self, request: HttpRequest) -> HttpResponse:
        """Place dialer calls."""
        return self.dispatch(request)


class DialerCreatePlainView(ProtocolView):
    """``POST /kairos-apis/outbounddialer/create``."""

    protocol = CreateCalls(encrypted=False)
    operation = "outbounddialer.create"

    @_places("dialer_create_plain", "dialer calls", encrypted=False)
    def post(self, request: HttpRequest) -> HttpResponse:
        """Place dialer calls."""
        return self.dispatch(request)


class EncryptDataView(ProtocolView):
    """``POST /kairos-apis/enc/outbound/encryptdata``."""

    protocol = EncryptData()
    operation = "enc.outbound.encryptdata"

    @extend_schema(
        operation_id="kairos_encrypt_data",
        tags=_TAGS,
        auth=[],
        summary="Have a request encrypted",
        description="For learning: it makes the caller send plain text and AES key. Switched off "
        "(401) for live flows unless the operator decides otherwise.",
        request={"application/json": openapi.ENCRYPT_DATA},
        responses=openapi.ENVELOPE_REPLIES,
        examples=openapi.helper_examples(),
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        """Encrypt a request."""
        return self.dispatch(request)


class GenerateKeyPairView(ProtocolView):
    """``POST /kairos-apis/enc/outbound/generateKeyPair``."""

    protocol = GenerateKeyPair()
    operation = "enc.outbound.generateKeyPair"

    @extend_schema(
        operation_id="kairos_generate_key_pair",
        tags=_TAGS,
        auth=[],
        summary="Have a key pair generated",
        description="Switched off (401) unless the operator decides otherwise. Never replaces the "
        "pair in use: a new one waits until an administrator promotes it, and while one "
        "waits no other is made.",
        request={"application/json": openapi.KEY_PAIR},
        responses=openapi.KEY_PAIR_REPLIES,
        examples=openapi.key_pair_examples(),
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        """Generate a key pair."""
        return self.dispatch(request)


class PullView(ProtocolView):
    """``POST /kairos-apis/outbound/pull``."""

    protocol = PullCalls()
    operation = "outbound.pull"

    @extend_schema(
        operation_id="kairos_pull",
        tags=_TAGS,
        auth=[],
        summary="Ask how calls went",
        description="Takes 1 to 200 phonon-uuids; those that are none of the flow's are left out.",
        request={"application/json": openapi.PULL},
        responses=openapi.PULL_REPLIES,
        examples=openapi.pull_examples(),
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        """Tell the status of calls."""
        return self.dispatch(request)
