"""Examples for the partner page and the OpenAPI document, made by running the code.

They open under the demo keys in ``demo/``, published on purpose: they protect nothing but
these examples. RSA is random, so the wrapped REK and IV were made once; the rest is computed,
the same whenever it is made.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crypto_schemes.ciphers import rsa
from crypto_schemes.flynn import FlynnOptions, Mode, Session, documents
from crypto_schemes.flynn.opening import FLYNN_RSA
from crypto_schemes.json_text import JSONValue
from crypto_schemes.keys import Credentials, KeyVersion
from crypto_schemes.scheme import write_json
from flows_endpoint.exchange import Reason, Refusal
from flows_endpoint.findings import findings_table
from flows_endpoint.flynn import envelopes
from flows_endpoint.flynn.envelopes import Version
from flows_endpoint.flynn.errors import (
    EWB_ERRORS,
    IRP_ERRORS,
    MEANINGS,
    Err,
    ewb_refused,
    failure_of,
    invalid,
    irp_refused,
)
from flows_endpoint.flynn.findings import FINDINGS
from flows_endpoint.flynn.protocol import PONG
from flows_endpoint.flynn.sandbox.calendar import ewb_time, irp_time, valid_until
from flows_endpoint.flynn.sandbox.einvoice import ISSUER
from flows_endpoint.flynn.sandbox.invoice_form import qr_content, read_invoice
from flows_endpoint.markdown import fenced, table

DEMO: Final = Path(__file__).with_name("demo")
DEMO_ORG_ID: Final = "7d0c1f2e-5b8a-4c3d-9e6f-1a2b3c4d5e6f"
DEMO_HANDLE: Final = "demo@flynn.example"
DEMO_GSTIN: Final = "29DEMCX1234D1Z0"
DEMO_PORTAL_USERNAME: Final = "portal-demo"
DEMO_PORTAL_PASSWORD: Final = "Demo-Portal-Pw-1"
DEMO_REK: Final = bytes.fromhex("3a7bd3e2360a3d29eea436fcfb7e44c735d117c42d1c1835420b6b9942dd4f1b")
DEMO_IV: Final = bytes.fromhex("5f1c9e0a7b3d42688c9fd0e1a2b3c4d5")
TOKEN: Final = "<token of the log-in>"
MESSAGE: Final = "Hello from the demo partner"
#: 2024-05-06 09:30 UTC, 15:00 in India.
_MOMENT: Final = datetime(2024, 5, 6, 9, 30, tzinfo=UTC)
_ACK_NO: Final = 112_410_000_012_345
_EWB_NO: Final = 391_002_263_538
_BUYER: Final = "27DEMCX5678B1ZK"

ECB: Final = Session(DEMO_REK)
CBC: Final = Session(DEMO_REK, Mode.CBC, DEMO_IV)

LOG_IN: Final[dict[str, JSONValue]] = {
    "handle": DEMO_HANDLE,
    "handleType": "email",
    "password": "<password>",
    "tokenDurationInMins": 360,
}
INVOICE: Final[dict[str, JSONValue]] = {
    "Version": "1.1",
    "TranDtls": {"TaxSch": "GST", "SupTyp": "B2B"},
    "DocDtls": {"Typ": "INV", "No": "DEMO/001", "Dt": "06/05/2024"},
    "SellerDtls": {
        "Gstin": DEMO_GSTIN,
        "LglNm": "Demo Tools Pvt Ltd",
        "Addr1": "1 Example Road",
        "Loc": "Bengaluru",
        "Pin": 560001,
        "Stcd": "29",
    },
    "BuyerDtls": {
        "Gstin": _BUYER,
        "LglNm": "Example Traders",
        "Pos": "27",
        "Addr1": "2 Sample Street",
        "Loc": "Mumbai",
        "Pin": 400001,
        "Stcd": "27",
    },
    "ItemList": [
        {
            "SlNo": "1",
            "PrdDesc": "Torque wrench",
            "IsServc": "N",
            "HsnCd": "820411",
            "Qty": 10,
            "Unit": "NOS",
            "UnitPrice": 1000,
            "TotAmt": 10000,
            "AssAmt": 10000,
            "GstRt": 18,
            "IgstAmt": 1800,
            "TotItemVal": 11800,
        }
    ],
    "ValDtls": {"AssVal": 10000, "IgstVal": 1800, "TotInvVal": 11800},
}
EWAY_BILL: Final[dict[str, JSONValue]] = {
    "supplyType": "O",
    "subSupplyType": "1",
    "docType": "INV",
    "docNo": "DEMO/002",
    "docDate": "06/05/2024",
    "fromGstin": DEMO_GSTIN,
    "fromPincode": 560001,
    "fromStateCode": 29,
    "toGstin": _BUYER,
    "toPincode": 400001,
    "toStateCode": 27,
    "totInvValue": 11800,
    "transDistance": "984",
    "transMode": "1",
    "vehicleNo": "KA01AB1234",
    "vehicleType": "R",
    "itemList": [{"hsnCode": 820411, "taxableAmount": 10000}],
}
EWAY_REPLY: Final[dict[str, JSONValue]] = {
    "ewayBillNo": _EWB_NO,
    "ewayBillDate": ewb_time(_MOMENT),
    "validUpto": ewb_time(valid_until(_MOMENT, 984, oversize=False)),
    "alert": "",
}


@cache
def credentials() -> Credentials:
    """Return the demo flow's keys."""
    key = rsa.load_private_pem((DEMO / "private_key.pem").read_bytes())
    return Credentials(
        {"org_id": DEMO_ORG_ID, "gstin": DEMO_GSTIN},
        {
            purpose: (KeyVersion("demo", purpose, 1, key),)
            for purpose in (FLYNN_RSA, documents.DOCUMENT_SIGNING)
        },
    )


def secret_headers(session: Session, **sensitive: str) -> dict[str, str]:
    """Return the headers that carry ``sensitive`` (``data``, ``irp_pwd``) under a session."""
    headers = {
        "X-FLYNN-N-ORG-ID": DEMO_ORG_ID,
        "X-FLYNN-N-USER-TOKEN": TOKEN,
        "X-FLYNN-S-REK": (DEMO / "wrapped_rek.txt").read_text("ascii").strip(),
    }
    if session.mode is Mode.CBC:
        headers["X-FLYNN-N-AES-ENCRYPTION-MODE"] = "CBC"
        headers["X-FLYNN-S-IV"] = (DEMO / "wrapped_iv.txt").read_text("ascii").strip()
    return headers | {
        f"X-FLYNN-S-{name.upper().replace('_', '-')}": session.seal(text)
        for name, text in sensitive.items()
    }


def portal_headers(module: str) -> dict[str, str]:
    """Return the headers of a call of a portal (``IRP`` or ``EWB``)."""
    return secret_headers(ECB, **{f"{module.lower()}_pwd": DEMO_PORTAL_PASSWORD}) | {
        f"X-FLYNN-N-{module}-GSTIN": DEMO_GSTIN,
        f"X-FLYNN-N-{module}-USERNAME": DEMO_PORTAL_USERNAME,
        f"X-FLYNN-N-{module}-GSP-CODE": "vay",
    }


def pong_with_message(session: Session) -> dict[str, JSONValue]:
    """Return the reply of authenticate-with-secrets."""
    return {"data": {"message": PONG, "client-message": session.seal(MESSAGE)}}


@cache
def invoice_reply() -> dict[str, JSONValue]:
    """Return what the e-invoice portal answers to INVOICE."""
    form = read_invoice(INVOICE, DEMO_GSTIN, _MOMENT)
    written = irp_time(_MOMENT)
    head: dict[str, JSONValue] = {"AckNo": _ACK_NO, "AckDt": written, "Irn": form.irn}
    qr = qr_content(form, form.irn, written)
    return {
        **head,
        "SignedInvoice": documents.sign({**head, **INVOICE}, ISSUER, credentials()),
        "SignedQRCode": documents.sign(qr, ISSUER, credentials()),
        "Status": "ACT",
    }


def failure(err: Err) -> dict[str, JSONValue]:
    """Return an example of an error, in the envelope of v1 and v2."""
    if err is Err.IRP:
        refusal = irp_refused("2150")
    elif err is Err.EWB:
        refusal = ewb_refused("604")
    elif err is Err.INVALID_BODY:
        refusal = invalid("body.DocDtls.No")
    else:
        refusal = Refusal(Reason.BUSINESS, err)
    return envelopes.failure(Version.V2, failure_of(refusal, None).value)


def render() -> dict[str, str]:
    """Return the blocks of docs/protocols/flynn.md by name, as Markdown."""
    reply = invoice_reply()
    shortened = {**reply, "SignedInvoice": _shortened(str(reply["SignedInvoice"]))}
    invoice_headers = portal_headers("IRP")
    return {
        "keys": table(
            ("credential", "value"),
            (
                ("org_id", DEMO_ORG_ID),
                ("handle", DEMO_HANDLE),
                ("gstin", DEMO_GSTIN),
                ("portal_username", DEMO_PORTAL_USERNAME),
                ("portal_password", DEMO_PORTAL_PASSWORD),
            ),
        ),
        "public-key": fenced("text", rsa.public_pem(_demo_key()).strip()),
        "log-in": fenced("json", _pretty(LOG_IN)),
        "values": _values(),
        "secrets-request": _http(
            "GET", "/authenticate-with-secrets", secret_headers(CBC, data=MESSAGE)
        ),
        "secrets-reply": fenced("json", _pretty(pong_with_message(CBC))),
        "invoice-request": _http(
            "POST", "/basic/einv/v3.0/ni1/eicore/v1.03/Invoice", invoice_headers, INVOICE
        ),
        "invoice-reply": fenced(
            "json", _pretty(envelopes.success(Version.V3, shortened, data_as_string=True))
        ),
        "signed-qr": fenced("text", str(reply["SignedQRCode"])),
        "signed-qr-opened": fenced(
            "json",
            _pretty(documents.verify(str(reply["SignedQRCode"]), _demo_key().public_key())),
        ),
        "eway-request": fenced("json", _pretty(EWAY_BILL)),
        "eway-reply": fenced(
            "json", _pretty(envelopes.success(Version.V1, EWAY_REPLY, data_as_string=True))
        ),
        "failure": fenced("json", _pretty(failure(Err.IRP))),
        "errors": table(
            ("message", "HTTP", "type", "cause", "what to do"),
            (
                (f"`{err.value}`", str(entry.status), entry.type, entry.cause, entry.fix)
                for err, entry in MEANINGS.items()
            ),
        ),
        "irp-errors": table(("ErrorCode", "ErrorMessage"), IRP_ERRORS.items()),
        "ewb-errors": table(("ErrorCode", "ErrorMessage"), EWB_ERRORS.items()),
        "findings": findings_table(FINDINGS),
        "options": table(
            ("option", "default", "what it does"),
            (
                (f"`{name}`", f"`{_default(option.default)}`", str(option.description))
                for name, option in FlynnOptions.model_fields.items()
            ),
        ),
    }


def _values() -> str:
    lines = [
        f"REK                      {DEMO_REK.hex()}",
        f"IV (CBC only)            {DEMO_IV.hex()}",
        f"text                     {DEMO_PORTAL_PASSWORD}",
        f"value in ECB             {ECB.seal(DEMO_PORTAL_PASSWORD)}",
        f"value in CBC             {CBC.seal(DEMO_PORTAL_PASSWORD)}",
    ]
    return fenced("text", "\n".join(lines))


def _demo_key() -> RSAPrivateKey:
    return credentials().active(FLYNN_RSA).rsa_private


def _default(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


def _http(method: str, path: str, headers: dict[str, str], body: JSONValue = None) -> str:
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {text}" for name, text in headers.items())]
    if body is not None:
        lines += ["Content-Type: application/json", "", write_json(body).decode()]
    return fenced("http", "\n".join(lines))


def _shortened(text: str) -> str:
    return f"{text[:40]}…{text[-10:]}"


def _pretty(value: JSONValue) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
