"""How the OpenAPI document describes the contract: schemas, headers, examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse

from crypto_schemes.flynn import Mode, Session
from crypto_schemes.json_text import JSONValue
from flows_endpoint.flynn import examples
from flows_endpoint.flynn.envelopes import Version, success
from flows_endpoint.flynn.errors import MEANINGS, Err
from flows_endpoint.flynn.models import Portal
from flows_endpoint.flynn.operations import (
    AUTHENTICATE,
    AUTHENTICATE_WITH_SECRETS,
    EINVOICE,
    EWAY,
    LOG_IN,
    LOG_OUT,
    PING,
    RENEW,
    portal_of,
)

_Schema = dict[str, Any]


def _object(required: tuple[str, ...] = (), **properties: _Schema) -> _Schema:
    schema: _Schema = {"type": "object", "properties": properties}
    if required:
        schema["required"] = list(required)
    return schema


def _all(*names: str, **properties: _Schema) -> _Schema:
    """Return an object whose members are all required; ``names`` are texts."""
    every = {**dict.fromkeys(names, _TEXT), **properties}
    return _object(tuple(every), **every)


_TEXT: Final[_Schema] = {"type": "string"}
_NUMBER: Final[_Schema] = {"type": "number"}
_WHOLE: Final[_Schema] = {"type": "integer"}
_NOTHING: Final[_Schema] = {"type": "null"}
_OPTIONAL_TEXT: Final[_Schema] = {"type": ["string", "null"]}
_DAY: Final[_Schema] = {"type": "string", "pattern": r"^\d{2}/\d{2}/\d{4}$"}
_IRN: Final[_Schema] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_EWB_NO: Final[_Schema] = {"type": ["integer", "string"], "description": "12 digits."}

_LOG_IN_BODY: Final = _object(
    ("handle", "handleType", "password"),
    handle={"type": "string", "format": "email"},
    handleType={"type": "string", "enum": ["email", "mobile"]},
    password={"type": "string", "format": "password"},
    tokenDurationInMins={
        "type": "integer",
        "minimum": 1,
        "default": 20,
        "description": "More than 360 counts as 360.",
    },
)
_TOKEN_DATA: Final = _all(
    "token",
    "userId",
    "email",
    expiry={"type": "integer", "description": "Unix milliseconds."},
    associatedOrgs={"type": "array", "items": {"type": "object"}},
)
_PARTY: Final = _all("Gstin", "LglNm", "Addr1", "Loc", "Stcd", Pin=_WHOLE)
_INVOICE: Final = _object(
    ("Version", "TranDtls", "DocDtls", "SellerDtls", "BuyerDtls", "ItemList", "ValDtls"),
    Version=_TEXT,
    TranDtls=_all("TaxSch", "SupTyp"),
    DocDtls=_all("Typ", "No", Dt=_DAY),
    SellerDtls=_PARTY,
    BuyerDtls=_object(
        ("Gstin", "LglNm", "Pos", "Addr1", "Loc", "Stcd"), **_PARTY["properties"], Pos=_TEXT
    ),
    ItemList={
        "type": "array",
        "minItems": 1,
        "maxItems": 1000,
        "items": _all(
            "SlNo",
            "IsServc",
            "HsnCd",
            UnitPrice=_NUMBER,
            TotAmt=_NUMBER,
            AssAmt=_NUMBER,
            GstRt=_NUMBER,
            TotItemVal=_NUMBER,
        ),
    },
    ValDtls=_all(AssVal=_NUMBER, TotInvVal=_NUMBER),
)
_INVOICE_REPLY: Final = _all(
    "AckDt",
    "SignedInvoice",
    "SignedQRCode",
    AckNo=_WHOLE,
    Irn=_IRN,
    Status={"type": "string", "enum": ["ACT", "CNL"]},
)
_EWAY_BODY: Final = _object(
    (
        "supplyType",
        "subSupplyType",
        "docType",
        "docNo",
        "docDate",
        "fromGstin",
        "fromPincode",
        "fromStateCode",
        "toGstin",
        "toPincode",
        "toStateCode",
        "totInvValue",
        "transDistance",
        "itemList",
    ),
    docDate=_DAY,
    itemList={
        "type": "array",
        "minItems": 1,
        "maxItems": 250,
        "items": _all(hsnCode=_WHOLE, taxableAmount=_NUMBER),
    },
)
_VEHICLE: Final = {
    "ewbNo": _EWB_NO,
    "vehicleNo": _TEXT,
    "transMode": {"type": "string", "enum": ["1", "2", "3", "4"]},
    "transDocNo": _TEXT,
    "transDocDate": _DAY,
    "fromPlace": _TEXT,
    "fromState": _WHOLE,
}
_ERROR: Final = _all("message", "type", args={"type": "object"})


@dataclass(frozen=True, slots=True)
class Described:
    """One operation: a line, a paragraph, what goes in and what comes out as ``data``."""

    summary: str
    description: str
    data: _Schema
    body: _Schema | None = None
    request: JSONValue = None
    reply: JSONValue = None
    query: tuple[OpenApiParameter, ...] = field(default=())


_PONG: Final = _all("message")
DESCRIBED: Final[Mapping[str, Described]] = {
    PING: Described(
        "Ask whether the service is there", "Needs no token.", _PONG, reply={"message": "pong"}
    ),
    LOG_IN: Described(
        "Log in",
        "Begins a session and returns its token. At most 10 live sessions a user.",
        _TOKEN_DATA,
        _LOG_IN_BODY,
        examples.LOG_IN,
    ),
    RENEW: Described(
        "Renew a token",
        "Send the token as `Authorization: Bearer`. The session goes on, never past six times "
        "its length.",
        _TOKEN_DATA,
    ),
    LOG_OUT: Described(
        "Log out",
        "Ends the session: all its tokens are refused from now on.",
        _PONG,
        reply={"message": "logged-out"},
    ),
    AUTHENTICATE: Described(
        "Check organisation and token",
        "Opens encrypted headers too, where there are any.",
        _PONG,
        reply={"message": "pong"},
    ),
    AUTHENTICATE_WITH_SECRETS: Described(
        "Check the encryption",
        "Opens X-FLYNN-S-DATA and returns its text encrypted under the same REK, mode and IV.",
        _all("message", "client-message"),
    ),
    f"{EINVOICE}.generate": Described(
        "Register an invoice",
        "Returns the IRN, the signed invoice and the signed QR code. A second registration of "
        "one document answers the portal's error 2150.",
        _INVOICE_REPLY,
        _INVOICE,
        examples.INVOICE,
        examples.invoice_reply(),
    ),
    f"{EINVOICE}.get": Described(
        "Fetch an invoice", "By its IRN; shows an active e-way bill too.", _INVOICE_REPLY
    ),
    f"{EINVOICE}.cancel": Described(
        "Cancel an invoice",
        "Within 24 hours; reasons 1 to 4.",
        _all("CancelDate", Irn=_IRN),
        _all("CnlRsn", "CnlRem", Irn=_IRN),
        {"Irn": examples.invoice_reply()["Irn"], "CnlRsn": "1", "CnlRem": "Typing error"},
    ),
    f"{EINVOICE}.eway_bill": Described(
        "Make the e-way bill of an invoice",
        "Without a vehicle the validity begins later, when one is entered.",
        _object(("EwbNo", "EwbDt"), EwbNo=_WHOLE, EwbDt=_TEXT, EwbValidTill=_OPTIONAL_TEXT),
        _object(
            ("Irn", "Distance"),
            Irn=_IRN,
            Distance=_WHOLE,
            TransMode=_TEXT,
            VehNo=_TEXT,
            TransId=_TEXT,
            TransDocNo=_TEXT,
            TransDocDt=_DAY,
        ),
        {
            "Irn": examples.invoice_reply()["Irn"],
            "Distance": 984,
            "TransMode": "1",
            "VehNo": "KA01AB1234",
            "VehType": "R",
        },
    ),
    f"{EWAY}.generate": Described(
        "Make an e-way bill",
        "One active e-way bill a document. Validity: a day for every 200 km.",
        _object(
            ("ewayBillNo", "ewayBillDate"),
            ewayBillNo=_WHOLE,
            ewayBillDate=_TEXT,
            validUpto=_OPTIONAL_TEXT,
            alert=_TEXT,
        ),
        _EWAY_BODY,
        examples.EWAY_BILL,
        examples.EWAY_REPLY,
    ),
    f"{EWAY}.get": Described(
        "Fetch an e-way bill",
        "What was sent, its state, its end and its vehicles, the newest first.",
        _object(("ewbNo", "status"), ewbNo=_WHOLE, status=_TEXT),
        query=(OpenApiParameter("ewbNo", str, required=True, description="12 digits."),),
    ),
    f"{EWAY}.cancel": Described(
        "Cancel an e-way bill",
        "Within 24 hours; reasons 1 to 4.",
        _all("cancelDate", ewayBillNo=_WHOLE),
        _object(("ewbNo", "cancelRsnCode"), ewbNo=_EWB_NO, cancelRsnCode=_WHOLE, cancelRmrk=_TEXT),
    ),
    f"{EWAY}.update_part_b": Described(
        "Enter or change the vehicle",
        "The first vehicle begins the validity.",
        _all("vehUpdDate", "validUpto"),
        _object(("ewbNo", "reasonCode", "fromPlace", "fromState"), **_VEHICLE, reasonCode=_TEXT),
    ),
    f"{EWAY}.extend_validity": Described(
        "Extend the validity",
        "From 8 hours before to 8 hours after its end, for the distance that remains.",
        _all("updatedDate", "validUpto", ewayBillNo=_WHOLE),
        _object(
            ("ewbNo", "extnRsnCode", "remainingDistance", "fromPlace", "fromState"),
            **_VEHICLE,
            extnRsnCode=_WHOLE,
            remainingDistance=_WHOLE,
        ),
    ),
    f"{EWAY}.update_transporter": Described(
        "Hand over to another transporter",
        "As long as no transporter has entered a vehicle.",
        _all("transporterId", "transUpdateDate", ewayBillNo=_WHOLE),
        _all("transporterId", ewbNo=_EWB_NO),
    ),
}
_WITHOUT_HEADERS: Final = frozenset({PING, LOG_IN, RENEW, LOG_OUT})
_SECRET_ERRORS: Final = (Err.REK, Err.SENSITIVE_VALUE)


class FlynnSchema(AutoSchema):
    """Describes a view by its operation, its method and the version in its path."""

    def get_operation_id(self) -> str:
        """Return a name that is unique among versions, aliases and methods."""
        words = ["flynn", self._operation.replace(".", "_")]
        if self._version is not Version.V2:
            words.append(self._version.value)
        if self._version is Version.V1 and "/ewayapi/" in self.path:
            words.append("ewayapi")
        if self._operation.startswith((EWAY, AUTHENTICATE, PING)):
            words.append(self.method.lower())
        return "_".join(words)

    def get_tags(self) -> list[str]:
        """Return the contract's name."""
        return ["Flynn"]

    def get_auth(self) -> list[dict[str, Any]]:
        """Return none: the contract's headers stand among the parameters."""
        return []

    def get_summary(self) -> str:
        """Return the operation's line."""
        return self._described.summary

    def get_description(self) -> str:  # type: ignore[override]
        """Return the operation's paragraph."""
        return self._described.description

    def get_override_parameters(self) -> list[Any]:
        """Return the headers and the query of the operation."""
        return [*self._described.query, *_headers(self._operation)]

    def get_request_serializer(self) -> Any:
        """Return the schema of the body."""
        return {"application/json": self._described.body} if self._described.body else None

    def get_response_serializers(self) -> Any:
        """Return the envelope of a success, and of errors by their HTTP status."""
        error = envelope_schema(self._version, None, _ERROR)
        by_status: dict[int, list[str]] = {}
        for err in _errors(self._operation):
            by_status.setdefault(MEANINGS[err].status, []).append(f"`{err.value}`")
        return {
            200: OpenApiResponse(
                envelope_schema(self._version, self._described.data, None), description="Done."
            ),
            **{
                status: OpenApiResponse(error, description=", ".join(names) + ".")
                for status, names in sorted(by_status.items())
            },
        }

    def get_examples(self) -> list[OpenApiExample]:
        """Return the demo partner's request and reply, and the errors."""
        made = []
        if self._described.request is not None:
            made.append(OpenApiExample("request", value=self._described.request, request_only=True))
        if self._operation == AUTHENTICATE_WITH_SECRETS:
            made += [_secrets(examples.ECB), _secrets(examples.CBC)]
        elif self._described.reply is not None:
            reply = success(self._version, self._described.reply, data_as_string=True)
            made.append(
                OpenApiExample("success", value=reply, response_only=True, status_codes=["200"])
            )
        return made

    @property
    def _operation(self) -> str:
        operation: str = self.view.operation_of(self.method)  # type: ignore[attr-defined]
        return operation

    @property
    def _described(self) -> Described:
        return DESCRIBED[self._operation]

    @property
    def _version(self) -> Version:
        if not self.path.startswith("/basic/"):
            return Version.V2
        return Version.V3 if "/v3.0/" in self.path else Version.V1


def envelope_schema(version: Version, data: _Schema | None, error: _Schema | None) -> _Schema:
    """Return the schema of a reply that carries either ``data`` or ``error``."""
    if version is Version.V3:
        return _all(
            status={"type": "string", "enum": ["0" if data is None else "1"]},
            data=data or _NOTHING,
            error=error or _NOTHING,
            info=_NOTHING,
            additionalInfo=_NOTHING,
            alert=_NOTHING,
        )
    if error is not None:
        return _all(error=error)
    if version is Version.V1:
        text = {**_TEXT, "contentMediaType": "application/json"}
        return _all(data={"oneOf": [text, data]})
    return _all(data=data or _NOTHING)


def _headers(operation: str) -> list[OpenApiParameter]:
    if operation in (RENEW, LOG_OUT):
        return [_header("Authorization", "`Bearer` and the token.", required=True)]
    if operation in _WITHOUT_HEADERS:
        return []
    headers = [
        _header("X-FLYNN-N-ORG-ID", "The organisation's UUID.", required=True),
        _header("X-FLYNN-N-USER-TOKEN", "The bare token of the log-in.", required=True),
    ]
    secrets = operation == AUTHENTICATE_WITH_SECRETS
    portal = portal_of(operation)
    if portal is not None:
        module = portal.value.upper()
        headers += [
            _header(f"X-FLYNN-N-{module}-GSTIN", "The partner's tax number.", required=True),
            _header(f"X-FLYNN-N-{module}-USERNAME", "The portal user name.", required=True),
            _header(f"X-FLYNN-N-{module}-GSP-CODE", "`vay`, if anything."),
            _header(f"X-FLYNN-S-{module}-PWD", "The portal password under the REK, base64."),
            _header(f"X-FLYNN-N-{module}-PWD", "The portal password in plain, instead."),
        ]
    if secrets:
        headers.append(_header("X-FLYNN-S-DATA", "A text under the REK, base64.", required=True))
    return [
        *headers,
        _header("X-FLYNN-S-REK", "The REK's text under the RSA key, base64.", required=secrets),
        OpenApiParameter(
            "X-FLYNN-N-AES-ENCRYPTION-MODE",
            {"type": "string", "enum": [mode.value for mode in Mode], "default": "ECB"},
            OpenApiParameter.HEADER,
            description="How the encrypted headers are encrypted.",
        ),
        _header("X-FLYNN-S-IV", "The 16 bytes of the IV under the RSA key, base64; for CBC."),
    ]


def _header(name: str, description: str, *, required: bool = False) -> OpenApiParameter:
    return OpenApiParameter(
        name, str, OpenApiParameter.HEADER, required=required, description=description
    )


def _errors(operation: str) -> list[Err]:
    if operation == PING:
        return [Err.METHOD]
    if operation == LOG_IN:
        own = [Err.INVALID_BODY, Err.INVALID_CREDENTIALS, Err.TOO_MANY_SESSIONS, Err.RATE]
    elif operation in _WITHOUT_HEADERS:
        own = [Err.INVALID_TOKEN, Err.EXPIRED_TOKEN]
    else:
        own = [Err.INVALID_ORG, Err.INVALID_TOKEN, Err.EXPIRED_TOKEN, Err.INVALID_BODY]
        own += _SECRET_ERRORS
    portal = portal_of(operation)
    if portal is not None:
        own += [Err.EMPTY_PASSWORD, Err.IRP if portal is Portal.IRP else Err.EWB]
    return [*own, Err.SOURCE, Err.UNAVAILABLE]


def _secrets(session: Session) -> OpenApiExample:
    """Return a reply whose request opens under the demo keys."""
    headers = examples.secret_headers(session, data=examples.MESSAGE)
    listed = "\n".join(f"    {name}: {text}" for name, text in headers.items())
    return OpenApiExample(
        f"{session.mode.value} under the demo keys",
        description=f"To the headers\n\n{listed}\n\nwhere the text is `{examples.MESSAGE}`.",
        value=examples.pong_with_message(session),
        response_only=True,
        status_codes=["200"],
    )
