"""What each operation is about: its lines in the OpenAPI document, its schemas, its examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from drf_spectacular.utils import OpenApiParameter

from crypto_schemes.json_text import JSONValue
from flows_endpoint.flynn import examples
from flows_endpoint.flynn.operations import (
    AUTHENTICATE,
    AUTHENTICATE_WITH_SECRETS,
    EINVOICE,
    EWAY,
    LOG_IN,
    LOG_OUT,
    PING,
    RENEW,
)
from flows_endpoint.flynn.sandbox import eway, invoice_form

Schema = dict[str, Any]


def _object(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    schema: Schema = {"type": "object", "properties": properties}
    if required:
        schema["required"] = list(required)
    return schema


def all_of(*names: str, **properties: Schema) -> Schema:
    """Return an object whose members are all required; ``names`` are texts."""
    every = {**dict.fromkeys(names, TEXT), **properties}
    return _object(tuple(every), **every)


TEXT: Final[Schema] = {"type": "string"}
_NUMBER: Final[Schema] = {"type": "number"}
_WHOLE: Final[Schema] = {"type": "integer"}
NOTHING: Final[Schema] = {"type": "null"}
_OPTIONAL_TEXT: Final[Schema] = {"type": ["string", "null"]}
_DAY: Final[Schema] = {"type": "string", "pattern": r"^\d{2}/\d{2}/\d{4}$"}
_IRN: Final[Schema] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_EWB_NO: Final[Schema] = {"type": ["integer", "string"], "description": "12 digits."}

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
_TOKEN_DATA: Final = all_of(
    "token",
    "userId",
    "email",
    expiry={"type": "integer", "description": "Unix milliseconds."},
    associatedOrgs={"type": "array", "items": {"type": "object"}},
)
_PARTY: Final = _object(
    ("Gstin",),
    Gstin={"type": "string", "description": "15 characters, or URP."},
    LglNm=TEXT,
    Addr1=TEXT,
    Loc=TEXT,
    Pin=_WHOLE,
    Stcd=TEXT,
)
_INVOICE: Final = _object(
    ("Version", "TranDtls", "DocDtls", "SellerDtls", "BuyerDtls", "ItemList", "ValDtls"),
    Version=TEXT,
    TranDtls=_object(TaxSch=TEXT, SupTyp=TEXT),
    DocDtls=all_of(
        No={"type": "string", "pattern": f"^{invoice_form.DOCUMENT_NO}$"},
        Typ={"type": "string", "enum": ["INV", "CRN", "DBN"]},
        Dt=_DAY,
    ),
    SellerDtls=_PARTY,
    BuyerDtls=_PARTY,
    ItemList={
        "type": "array",
        "minItems": 1,
        "maxItems": 1000,
        "items": _object(
            SlNo=TEXT,
            IsServc={"type": "string", "enum": ["Y", "N"]},
            HsnCd=TEXT,
            UnitPrice=_NUMBER,
            TotAmt=_NUMBER,
            AssAmt=_NUMBER,
            GstRt=_NUMBER,
            TotItemVal=_NUMBER,
        ),
    },
    ValDtls=_object(AssVal=_NUMBER, TotInvVal=_NUMBER),
)
_INVOICE_REPLY: Final = all_of(
    "AckDt",
    "SignedInvoice",
    "SignedQRCode",
    AckNo=_WHOLE,
    Irn=_IRN,
    Status={"type": "string", "enum": ["ACT", "CNL"]},
)
_EWAY_BODY: Final = _object(
    ("docType", "docNo", "docDate", "fromGstin", "toGstin", "transDistance"),
    supplyType={"type": "string", "enum": ["O", "I"], "default": "O"},
    docType={"type": "string", "enum": ["INV", "BIL", "BOE", "CHL", "OTH"]},
    docNo={"type": "string", "pattern": f"^{eway.DOCUMENT_NO}$"},
    docDate=_DAY,
    fromGstin=TEXT,
    fromPincode=_WHOLE,
    toGstin=TEXT,
    toPincode=_WHOLE,
    totInvValue=_NUMBER,
    transDistance={"type": ["string", "integer"], "description": "Kilometres; 0 asks."},
    transMode={"type": "string", "enum": ["1", "2", "3", "4"]},
    vehicleNo=TEXT,
    transporterId=TEXT,
    itemList={
        "type": "array",
        "minItems": 1,
        "maxItems": 250,
        "items": _object(hsnCode=_WHOLE, taxableAmount=_NUMBER),
    },
)
_VEHICLE: Final = {
    "ewbNo": _EWB_NO,
    "vehicleNo": TEXT,
    "transMode": {"type": "string", "enum": ["1", "2", "3", "4"]},
    "transDocNo": TEXT,
    "transDocDate": _DAY,
    "fromPlace": TEXT,
    "fromState": _WHOLE,
}


@dataclass(frozen=True, slots=True)
class Described:
    """One operation: a line, a paragraph, what comes out as ``data`` and what goes in."""

    summary: str
    description: str
    data: Schema
    body: Schema | None = None
    query: tuple[OpenApiParameter, ...] = field(default=())


_PONG: Final = all_of("message")
DESCRIBED: Final[Mapping[str, Described]] = {
    PING: Described("Ask whether the service is there", "Needs no token.", _PONG),
    LOG_IN: Described(
        "Log in",
        "Begins a session and returns its token. At most 10 live sessions a user.",
        _TOKEN_DATA,
        _LOG_IN_BODY,
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
    ),
    AUTHENTICATE: Described(
        "Check organisation and token",
        "Opens encrypted headers too, where there are any.",
        _PONG,
    ),
    AUTHENTICATE_WITH_SECRETS: Described(
        "Check the encryption",
        "Opens X-FLYNN-S-DATA and returns its text encrypted under the same REK, mode and IV.",
        all_of("message", "client-message"),
    ),
    f"{EINVOICE}.generate": Described(
        "Register an invoice",
        "Returns the IRN, the signed invoice and the signed QR code. A second registration of "
        "one document answers the portal's error 2150.",
        _INVOICE_REPLY,
        _INVOICE,
    ),
    f"{EINVOICE}.get": Described(
        "Fetch an invoice", "By its IRN; shows an active e-way bill too.", _INVOICE_REPLY
    ),
    f"{EINVOICE}.cancel": Described(
        "Cancel an invoice",
        "Within 24 hours; reasons 1 to 4.",
        all_of("CancelDate", Irn=_IRN),
        _object(("Irn", "CnlRsn"), Irn=_IRN, CnlRsn=TEXT, CnlRem=TEXT),
    ),
    f"{EINVOICE}.eway_bill": Described(
        "Make the e-way bill of an invoice",
        "Without a vehicle the validity begins later, when one is entered.",
        _object(("EwbNo", "EwbDt"), EwbNo=_WHOLE, EwbDt=TEXT, EwbValidTill=_OPTIONAL_TEXT),
        _object(
            ("Irn", "Distance"),
            Irn=_IRN,
            Distance=_WHOLE,
            TransMode=TEXT,
            VehNo=TEXT,
            TransId=TEXT,
            TransDocNo=TEXT,
            TransDocDt=_DAY,
        ),
    ),
    f"{EWAY}.generate": Described(
        "Make an e-way bill",
        "One active e-way bill a document. Validity: a day for every 200 km.",
        _object(
            ("ewayBillNo", "ewayBillDate"),
            ewayBillNo=_WHOLE,
            ewayBillDate=TEXT,
            validUpto=_OPTIONAL_TEXT,
            alert=TEXT,
        ),
        _EWAY_BODY,
    ),
    f"{EWAY}.get": Described(
        "Fetch an e-way bill",
        "What was sent, its state, its end and its vehicles, the newest first.",
        _object(("ewbNo", "status"), ewbNo=_WHOLE, status=TEXT),
        query=(OpenApiParameter("ewbNo", str, required=True, description="12 digits."),),
    ),
    f"{EWAY}.cancel": Described(
        "Cancel an e-way bill",
        "Within 24 hours; reasons 1 to 4.",
        all_of("cancelDate", ewayBillNo=_WHOLE),
        _object(("ewbNo", "cancelRsnCode"), ewbNo=_EWB_NO, cancelRsnCode=_WHOLE, cancelRmrk=TEXT),
    ),
    f"{EWAY}.update_part_b": Described(
        "Enter or change the vehicle",
        "The first vehicle begins the validity.",
        all_of("vehUpdDate", "validUpto"),
        _object(("ewbNo",), **_VEHICLE, reasonCode=TEXT),
    ),
    f"{EWAY}.extend_validity": Described(
        "Extend the validity",
        "From 8 hours before to 8 hours after its end, for the distance that remains.",
        all_of("updatedDate", "validUpto", ewayBillNo=_WHOLE),
        _object(
            ("ewbNo", "remainingDistance"),
            **_VEHICLE,
            extnRsnCode=_WHOLE,
            remainingDistance=_WHOLE,
        ),
    ),
    f"{EWAY}.update_transporter": Described(
        "Hand over to another transporter",
        "As long as no transporter has entered a vehicle.",
        all_of("transporterId", "transUpdateDate", ewayBillNo=_WHOLE),
        all_of("transporterId", ewbNo=_EWB_NO),
    ),
}


@cache
def shown() -> Mapping[str, tuple[JSONValue, JSONValue]]:
    """Return body and ``data`` of the example of an operation; None shows nothing.

    Made with the document: signing the example's invoice takes an RSA key.
    """
    invoice = examples.invoice_reply()
    irn = invoice["Irn"]
    vehicle = {"TransMode": "1", "VehNo": "KA01AB1234", "VehType": "R"}
    return {
        PING: (None, {"message": "pong"}),
        LOG_IN: (examples.LOG_IN, None),
        LOG_OUT: (None, {"message": "logged-out"}),
        AUTHENTICATE: (None, {"message": "pong"}),
        f"{EINVOICE}.generate": (examples.INVOICE, invoice),
        f"{EINVOICE}.cancel": ({"Irn": irn, "CnlRsn": "1", "CnlRem": "Typing error"}, None),
        f"{EINVOICE}.eway_bill": ({"Irn": irn, "Distance": 984, **vehicle}, None),
        f"{EWAY}.generate": (examples.EWAY_BILL, examples.EWAY_REPLY),
    }
