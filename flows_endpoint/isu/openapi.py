"""How the OpenAPI document describes ISU, with examples that open under the demo keys."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, cast

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from flows_endpoint.isu import examples, products
from flows_endpoint.isu.errors import MEANINGS, IsuError

if TYPE_CHECKING:
    from rest_framework.serializers import Serializer

    from flows_endpoint.views import ProtocolView

_SUMMARY: Final = {
    products.PAYOUT: "Pay to a bank account",
    products.STATUS: "Ask what became of payouts",
    products.DYNAMIC_UPI: "Make a UPI payment link or QR picture",
    products.ELECTRICITY_BILL: "Fetch an electricity bill",
}
_DESCRIPTION: Final = (
    "The path is the default and can be another for a flow. A business failure is a sealed "
    "reply with HTTP status 200; errors are plain JSON. Inside the example: `{payload}`"
)


def _sealed(member: str, what: str) -> dict[str, Any]:
    return {
        "type": "object",
        "required": [member],
        "properties": {
            member: {
                "type": "string",
                "format": "byte",
                "description": f"Base64 of a random IV and AES-256-CBC of {what}.",
            }
        },
    }


_PLAIN: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["status", "statusDesc"],
    "properties": {"status": {"type": "integer"}, "statusDesc": {"type": "string"}},
}
_INVALID_REQUEST: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["ResponseData"],
    "properties": {"ResponseData": {"type": "string", "const": "Invalid Request"}},
}


def described(product: str) -> dict[str, Any]:
    """Return the arguments of ``extend_schema`` for the view of ``product``."""
    sealed = _sealed("ResponseData", "the answer")
    responses = {200: OpenApiResponse(sealed, description="Sealed.")}
    for http in sorted({error.http for error in IsuError}):
        of_status = [error for error in IsuError if error.http == http]
        schema = _INVALID_REQUEST if of_status[0].status is None else _PLAIN
        texts = "; ".join(error.text for error in of_status)
        responses[http] = OpenApiResponse(schema, description=texts)
    return {
        "operation_id": f"isu_{product}",
        "tags": ["ISU"],
        "summary": _SUMMARY[product],
        "description": _DESCRIPTION.format(payload=examples.PAYLOADS[product].decode()),
        "auth": [],
        "request": {"application/json": _sealed("RequestData", "the request")},
        "responses": responses,
    }


class IsuSchema(AutoSchema):
    """Makes the examples with the document, so that their header opens."""

    def get_override_parameters(
        self,
    ) -> list[OpenApiParameter | Serializer[Any] | type[Serializer[Any]]]:
        """Return the two headers."""
        headers = examples.headers(time.time())
        return [
            OpenApiParameter(
                name="pass_key",
                type=str,
                location=OpenApiParameter.HEADER,
                required=True,
                description="Finds the partner. The name has an underscore.",
                examples=[OpenApiExample("demo", value=headers["pass_key"])],
            ),
            OpenApiParameter(
                name="header_secrets",
                type=str,
                location=OpenApiParameter.HEADER,
                required=True,
                description="Encrypted `{client_id, client_secret, epoch}`, anew for each call. "
                "The example opens under the demo keys for five minutes.",
                examples=[OpenApiExample("demo", value=headers["header_secrets"])],
            ),
        ]

    def get_examples(self) -> list[OpenApiExample]:
        """Return a request and its reply under the demo keys, and each error."""
        product = cast("ProtocolView", self.view).operation
        return [
            OpenApiExample("demo request", value=examples.body(product), request_only=True),
            OpenApiExample("demo reply", value=examples.reply(product), response_only=True),
            *(
                OpenApiExample(
                    error.name,
                    description=MEANINGS[error][0],
                    value=examples.plain(error),
                    response_only=True,
                    status_codes=[str(error.http)],
                )
                for error in IsuError
            ),
        ]
