"""The two addresses of a WhatsApp flow, and how the OpenAPI document describes them."""

from __future__ import annotations

import json
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
)

from flows_endpoint.views import ProtocolView
from flows_endpoint.whatsapp_flows import examples
from flows_endpoint.whatsapp_flows.errors import MEANINGS
from flows_endpoint.whatsapp_flows.protocol import WhatsAppFlowsProtocol
from flows_endpoint.whatsapp_flows.webhook import WhatsAppWebhookProtocol

_ENVELOPE: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["encrypted_flow_data", "encrypted_aes_key", "initial_vector"],
    "properties": {
        "encrypted_flow_data": {
            "type": "string",
            "format": "byte",
            "description": "AES-128-GCM of the JSON, tag appended.",
        },
        "encrypted_aes_key": {
            "type": "string",
            "format": "byte",
            "description": "The AES key under RSA-2048 OAEP with SHA-256.",
        },
        "initial_vector": {"type": "string", "format": "byte", "description": "16 bytes."},
    },
}
_ADDRESS: Final = OpenApiParameter(
    "address", str, OpenApiParameter.PATH, description="The address of the flow."
)
_SIGNATURE: Final = OpenApiParameter(
    "X-Hub-Signature-256",
    str,
    OpenApiParameter.HEADER,
    required=True,
    description="`sha256=` and the HMAC-SHA-256 of the raw body under the app secret, in hex.",
)


class _SealedExamples(AutoSchema):
    """Examples made with the document: opening one costs an RSA key."""

    def get_examples(self) -> list[OpenApiExample]:
        """Return requests under the demo keys and their replies."""
        made = {
            "ping": examples.sealed(examples.PING, examples.PONG),
            "data_exchange": examples.sealed(examples.STEP, examples.NEXT),
        }
        return [each for name, exchange in made.items() for each in _both_ways(name, exchange)]


def _both_ways(name: str, exchange: examples.Sealed) -> list[OpenApiExample]:
    signature = exchange.request.headers["x-hub-signature-256"]
    return [
        OpenApiExample(
            name,
            description=(
                "Opens under the demo keys. As one line with escaped slashes it is signed "
                f"`{signature}`. Inside: `{exchange.opened.raw.decode()}`"
            ),
            value=json.loads(exchange.request.body),
            request_only=True,
        ),
        OpenApiExample(
            f"{name} answer",
            value=exchange.reply.body.decode(),
            media_type="text/plain",
            response_only=True,
            status_codes=["200"],
        ),
    ]


def _empty(status: int) -> OpenApiResponse:
    return OpenApiResponse(description=MEANINGS[status].cause)


class FlowView(ProtocolView):
    """``POST /whatsapp/flows/<address>``: the data endpoint."""

    protocol = WhatsAppFlowsProtocol()
    operation = "flow"
    schema = _SealedExamples()

    @extend_schema(
        operation_id="whatsapp_flow",
        tags=["WhatsApp Flows"],
        summary="One step of a WhatsApp flow",
        description=(
            "Opens the request, answers health checks and error notifications, has the service "
            "answer the others, and seals the reply under the AES key of the request with every "
            "bit of the IV inverted."
        ),
        parameters=[_ADDRESS, _SIGNATURE],
        request={"application/json": _ENVELOPE},
        responses={
            (200, "text/plain"): OpenApiResponse(
                response={"type": "string", "format": "byte"}, description=MEANINGS[200].cause
            ),
            421: _empty(421),
            (427, "text/plain"): OpenApiResponse(
                response={"type": "string", "format": "byte"}, description=MEANINGS[427].cause
            ),
            432: _empty(432),
            500: _empty(500),
        },
    )
    def post(self, request: HttpRequest, address: str) -> HttpResponse:
        """Serve one step."""
        return self.dispatch(request, address=address)


class WebhookView(ProtocolView):
    """``/whatsapp/webhook/<address>``: what the platform reports."""

    protocol = WhatsAppWebhookProtocol()
    operation = "webhook"

    @extend_schema(
        operation_id="whatsapp_webhook_challenge",
        tags=["WhatsApp Flows"],
        summary="Prove that the webhook address is ours",
        description="Echoes the challenge when the verify token is the flow's.",
        parameters=[
            _ADDRESS,
            OpenApiParameter("hub.mode", str, required=True, enum=["subscribe"]),
            OpenApiParameter("hub.verify_token", str, required=True),
            OpenApiParameter("hub.challenge", str, required=True),
        ],
        responses={
            (200, "text/plain"): OpenApiResponse(
                response={"type": "string"}, description="The challenge."
            ),
            400: OpenApiResponse(description="Not a subscription, or no usable challenge."),
            403: OpenApiResponse(description="Another verify token."),
        },
    )
    def get(self, request: HttpRequest, address: str) -> HttpResponse:
        """Answer the challenge."""
        return self.dispatch(request, address=address)

    @extend_schema(
        operation_id="whatsapp_webhook_updates",
        tags=["WhatsApp Flows"],
        summary="Take updates",
        description="Stores each signed update once, however often it is delivered.",
        parameters=[_ADDRESS, _SIGNATURE],
        request={"application/json": {"type": "object"}},
        responses={
            200: OpenApiResponse(description="Taken."),
            403: OpenApiResponse(description="The signature is missing or wrong."),
        },
        examples=[OpenApiExample("status change", value=examples.UPDATE, request_only=True)],
    )
    def post(self, request: HttpRequest, address: str) -> HttpResponse:
        """Take updates."""
        return self.dispatch(request, address=address)
