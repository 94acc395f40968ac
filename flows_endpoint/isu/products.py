"""The products behind ISU and how each says no: a business failure is a sealed answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from crypto_schemes.json_text import JSONValue

PAYOUT: Final = "payout"
STATUS: Final = "status"
DYNAMIC_UPI: Final = "dynamic_upi"
ELECTRICITY_BILL: Final = "electricity_bill"

#: Members of a payout, in the order they are echoed.
PAYOUT_FIELDS: Final = (
    "beneName",
    "beneAccountNo",
    "beneifsc",
    "benePhoneNo",
    "beneBankName",
    "clientReferenceNo",
    "amount",
    "fundTransferType",
    "pincode",
    "custName",
    "custMobNo",
    "latlong",
    "paramA",
    "paramB",
)
_STATUS_WORDS = frozenset({"SUCCESS", "FAILED", "INPROGRESS", "REFUNDED"})


def echo(payload: JSONValue) -> dict[str, JSONValue]:
    """Return the members of a payout as the partner sent them."""
    if not isinstance(payload, Mapping):
        return {}
    return {name: payload[name] for name in PAYOUT_FIELDS if name in payload}


def business_failure(product: str, text: str, payload: JSONValue) -> dict[str, JSONValue]:
    """Return the answer of ``product`` to a request it will not do; nothing was done."""
    sent: Mapping[str, JSONValue] = payload if isinstance(payload, Mapping) else {}
    if product == PAYOUT:
        answer: dict[str, JSONValue] = {
            "status": "FAILED",
            "subStatus": -1,
            "statusDesc": text,
            "rrn": "",
            "transactionId": "",
            "clientReferenceNo": "",
        }
        return answer | echo(payload)
    if product == STATUS:
        return {"status": 400, "message": text, "length": 0, "results": []}
    if product == DYNAMIC_UPI:
        return {
            "amount": sent.get("txnAmount", ""),
            "clientRefId": sent.get("clientRefId", ""),
            "intentData": "",
            "payeeVPA": sent.get("payeeVPA", ""),
            "payerVPA": "",
            "paymentState": "FAILED",
            "qrData": "",
            "status": "FAILED",
            "statusCode": -1,
            "statusDesc": text,
            "txnId": "",
        }
    return {"txnId": "", "status": "FAILED", "status_desc": text, "data_obj": {}}


def business_code(payload: JSONValue) -> str:
    """Return the outcome a sealed answer states, for the exchange log; empty if it is unusual.

    Only words and small numbers of the contract: an answer may hold anything else.
    """
    status = payload.get("status") if isinstance(payload, Mapping) else None
    if isinstance(status, str):
        return status if status in _STATUS_WORDS else ""
    return str(status) if type(status) is int and -9 <= status <= 999 else ""
