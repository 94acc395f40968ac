"""The one address of the contract, and how the OpenAPI document describes it."""

from __future__ import annotations

import time
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema

from flows_endpoint.citcall import examples
from flows_endpoint.citcall.errors import MEANINGS, Rc
from flows_endpoint.citcall.protocol import CitCallProtocol
from flows_endpoint.views import ProtocolView

_SEALED: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["data"],
    "properties": {
        "data": {
            "type": "string",
            "description": "Time stamp and JSON under userid and API key; base64url, no padding.",
        }
    },
}
_FAILURE: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["rc", "info"],
    "properties": {
        "rc": {"type": "string", "enum": [rc.value for rc in Rc if rc is not Rc.SUCCESS]},
        "info": {"type": "string"},
    },
}


class _Schema(AutoSchema):
    """Examples made with the document, so that their time stamps are fresh."""

    def get_auth(self) -> list[dict[str, list[str]]]:
        """Describe the Authorization header; ``http`` schemes know no bare base64."""
        scheme = ResolvedComponent(  # type: ignore[no-untyped-call]
            name="CitCallAuthorization",
            type=ResolvedComponent.SECURITY_SCHEMA,
            object="CitCallAuthorization",
            schema={
                "type": "apiKey",
                "in": "header",
                "name": "Authorization",
                "description": (
                    "`base64(userid:apikey)` without a scheme word, or "
                    "`Basic base64(userid:apikey)`, or `Apikey <apikey>`."
                ),
            },
        )
        self.registry.register_on_missing(scheme)
        return [{scheme.name: []}]

    def get_examples(self) -> list[OpenApiExample]:
        """Return a request under the demo keys, its reply, and each failure."""
        made = examples.sealed(time.time())
        return [
            OpenApiExample(
                "demo request",
                summary="The demo partner's request",
                description=(
                    "Opens under the demo keys for eight minutes. Header: "
                    f"`Authorization: {made.request.headers['authorization']}`. Inside: "
                    f"`{made.opened.raw.decode()}`"
                ),
                value={"data": examples.data_of(made.request)},
                request_only=True,
            ),
            OpenApiExample("success", value=made.reply, response_only=True),
            *(
                OpenApiExample(
                    f"rc {rc}",
                    summary=meaning.info,
                    description=meaning.cause,
                    value={"rc": str(rc), "info": meaning.info},
                    response_only=True,
                )
                for rc, meaning in MEANINGS.items()
                if rc != Rc.SUCCESS
            ),
        ]


class AsyncCallView(ProtocolView):
    """``POST /v2/asynccall``."""

    protocol = CitCallProtocol()
    operation = "asynccall"
    schema = _Schema()

    @extend_schema(
        operation_id="citcall_asynccall",
        tags=["CitCall"],
        summary="Place a missed call",
        description=(
            "Queues a call whose calling number ends in the one-time password. Every reply has "
            "HTTP status 200: a success is sealed, a failure is plain. The outcome comes as "
            "a callback."
        ),
        request={"application/json": _SEALED},
        responses={
            200: OpenApiResponse(
                response={"oneOf": [_SEALED, _FAILURE]},
                description="Sealed success, or plain failure.",
            )
        },
    )
    def post(self, request: HttpRequest) -> HttpResponse:
        """Place a missed call."""
        return self.dispatch(request)
