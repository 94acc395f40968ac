"""The bodies of Kairos as JSON Schema, for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from drf_spectacular.utils import OpenApiExample, OpenApiResponse

from crypto_schemes.json_text import JSONValue
from flows_endpoint.kairos import examples
from flows_endpoint.kairos.calls import MOST_CALLS
from flows_endpoint.kairos.errors import MEANINGS, Code, head
from flows_endpoint.kairos.key_help import GENERATED
from flows_endpoint.kairos.models import FlowStatus
from flows_endpoint.kairos.pull import MOST_IDS

Schema = dict[str, Any]


def _object(required: tuple[str, ...], **properties: Schema) -> Schema:
    named = {name.replace("_", "-"): schema for name, schema in properties.items()}
    return {"type": "object", "required": list(required), "properties": named}


_TEXT: Final[Schema] = {"type": "string"}
_UUID: Final[Schema] = {"type": "string", "format": "uuid"}
_FLOW_ID: Final[Schema] = {"type": "string", "pattern": "^[A-Za-z0-9]{8}$"}
_SECURITY_ID: Final[Schema] = {"type": "string", "pattern": "^[0-9A-Fa-f]{64}$"}

_CALL: Final = _object(
    ("client-identifier", "start-time", "contact-numbers"),
    client_identifier={"type": "string", "minLength": 1, "maxLength": 256},
    start_time={"type": "string", "format": "date-time"},
    contact_numbers={
        "type": "array",
        "minItems": 1,
        "items": {"type": "string", "pattern": r"^\+?[0-9]{6,15}$"},
    },
    keys={
        "type": "array",
        "items": _object(("name", "value"), name=_TEXT, value={}),
    },
)
PLAIN: Final = _object(
    ("api-version", "security-id", "flow-id", "calls"),
    api_version={"type": "string", "enum": ["1.0", "TEST"]},
    security_id=_SECURITY_ID,
    flow_id=_FLOW_ID,
    calls={"type": "array", "minItems": 1, "maxItems": MOST_CALLS, "items": _CALL},
)
ENVELOPE: Final = _object(
    ("requestEncryptedValue", "requestDigitalSignatureValue", "flow-id"),
    requestEncryptedValue={
        "type": "string",
        "description": "base64 of AES-128-ECB with PKCS#7 over base64 of the JSON request.",
    },
    requestDigitalSignatureValue={
        "type": "string",
        "description": "base64 of RSA over base64 of the key string: a wrapped key.",
    },
    flow_id=_FLOW_ID,
)
ENCRYPT_DATA: Final = _object(
    ("requestValue", "aesKey", "flow-id"), requestValue=_TEXT, aesKey=_TEXT, flow_id=_FLOW_ID
)
KEY_PAIR: Final = _object(("flow-id",), flow_id=_FLOW_ID)
PULL: Final = _object(
    ("security-id", "flow-id", "phonon-uuids", "fetch-attempt"),
    security_id=_SECURITY_ID,
    flow_id=_FLOW_ID,
    phonon_uuids={"type": "array", "minItems": 1, "maxItems": MOST_IDS, "items": _UUID},
    fetch_attempt={"type": "string", "enum": ["ALL", "LAST"]},
)

#: Replies with these codes carry more than the two members of an error.
_WITH_MEMBERS: Final = (Code.SUCCESS, Code.PARTIAL_SUCCESS, Code.NO_DATA_AVAILABLE)
_ERROR: Final = _object(
    ("api-response-code", "api-response-message"),
    api_response_code={
        "type": "integer",
        "enum": [int(code) for code in Code if code not in _WITH_MEMBERS],
    },
    api_response_message=_TEXT,
)
_ACCEPTED: Final = _object(
    ("api-response-code", "api-response-message", "request-id", "call-details"),
    api_response_code={"type": "integer", "enum": [200, 209]},
    api_response_message=_TEXT,
    request_id=_UUID,
    call_details={
        "type": "array",
        "items": _object(
            ("client-identifier", "phonon-uuid"), client_identifier=_TEXT, phonon_uuid=_UUID
        ),
    },
)
_STATUSES: Final = _object(
    ("api-response-code", "api-response-message", "data"),
    api_response_code={"type": "integer", "enum": [200, 213]},
    api_response_message=_TEXT,
    data={
        "type": "array",
        "items": _object(
            ("phonon-uuid", "client-identifier", "status", "callDetails"),
            phonon_uuid=_UUID,
            client_identifier=_TEXT,
            status={"type": "string", "enum": list(FlowStatus.values)},
            callDetails={"type": "array", "items": {"type": "object"}},
        ),
    },
)
_GENERATED: Final = _object(("response", "responseCode"), response=_TEXT, responseCode=_TEXT)


def _replies(success: Schema, description: str) -> dict[int, OpenApiResponse]:
    return {
        200: OpenApiResponse(
            response={"oneOf": [success, _ERROR]},
            description=f"{description} Errors have HTTP status 200 too, unless the flow mirrors "
            "the codes 400, 401, 402 and 500.",
        ),
        405: OpenApiResponse(response=_ERROR, description="Any method but POST."),
        413: OpenApiResponse(response=_ERROR, description="A body above 256 KB."),
    }


ACCEPTED_REPLIES: Final = _replies(_ACCEPTED, "Calls were accepted.")
PULL_REPLIES: Final = _replies(_STATUSES, "What is known of the calls.")
ENVELOPE_REPLIES: Final = _replies(ENVELOPE, "The envelope to send.")
KEY_PAIR_REPLIES: Final = _replies(_GENERATED, "A pair was made, or one is waiting already.")


#: What can go wrong at each address.
_ANYWHERE: Final = (
    Code.INVALID_FLOW_ID,
    Code.INVALID_FORMAT,
    Code.IP_NOT_WHITELISTED,
    Code.FAILURE,
)
_AT_PULL: Final = (
    Code.INVALID_SECURITY_ID,
    Code.FAILURE_FROM_GATEWAY,
    Code.INVALID_MANDATORY_PARAMETERS,
    Code.NO_DATA_AVAILABLE,
    Code.EMPTY_CALL_LIST,
    Code.MAX_DATA_LIST_SIZE_EXCEEDED,
    *_ANYWHERE,
)
_AT_CREATE: Final = tuple(code for code in Code if code not in _WITH_MEMBERS)


def _examples(
    request: JSONValue, reply: JSONValue, codes: Iterable[Code], description: str = ""
) -> list[OpenApiExample]:
    return [
        OpenApiExample("demo", description=description, value=request, request_only=True),
        OpenApiExample("success", value=reply, response_only=True, status_codes=["200"]),
        *(
            OpenApiExample(
                f"{int(code)} {code.name}",
                summary=MEANINGS[code].message,
                description=MEANINGS[code].cause,
                value=examples.no_data() if code is Code.NO_DATA_AVAILABLE else head(code),
                response_only=True,
                status_codes=["200"],
            )
            for code in codes
        ),
    ]


def sealed_examples() -> list[OpenApiExample]:
    """Return the encrypted request, which opens under the demo key pair, and the replies."""
    made = examples.envelope()
    return _examples(
        {
            "requestEncryptedValue": made.encrypted_value,
            "requestDigitalSignatureValue": made.wrapped_key,
            "flow-id": made.flow_id,
        },
        examples.REPLY,
        _AT_CREATE,
        f"Opens under the demo key pair; the key string is {examples.DEMO_KEY_STRING}.",
    )


def plain_examples() -> list[OpenApiExample]:
    """Return the unencrypted request and the replies."""
    return _examples(examples.REQUEST, examples.REPLY, _AT_CREATE)


def pull_examples() -> list[OpenApiExample]:
    """Return a question for the status of a call, and the replies."""
    return _examples(examples.PULL, examples.pull_reply(), _AT_PULL)


def helper_examples() -> list[OpenApiExample]:
    """Return a request to the encrypt helper, and the replies."""
    codes = (Code.INVALID_MANDATORY_PARAMETERS, *_ANYWHERE)
    return _examples(examples.ENCRYPT_DATA, examples.helper_reply(), codes)


def key_pair_examples() -> list[OpenApiExample]:
    """Return a request for a key pair, and the replies."""
    return _examples(examples.GENERATE_KEY_PAIR, dict(GENERATED), _ANYWHERE)
