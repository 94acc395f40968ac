"""Examples for the partner page and the OpenAPI document, made by running the code.

They use the documented demo keys and no database. IVs are derived from what an example is
called, so that the page shows the same bytes whenever it is made; only here: a real message
has a random one.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from crypto_schemes import base64_text, json_text
from crypto_schemes.isu import IsuOptions, key_to_text
from crypto_schemes.isu.value import seal_value
from crypto_schemes.json_text import JSONValue
from flows_endpoint.callback_example import signature_example
from flows_endpoint.findings import findings_table
from flows_endpoint.isu import products
from flows_endpoint.isu.errors import MEANINGS, IsuError
from flows_endpoint.isu.findings import FINDINGS
from flows_endpoint.isu.models import Collection, CollectionState, Payout, PayoutState
from flows_endpoint.isu.sandbox import bill, clock, collection, payout
from flows_endpoint.markdown import fenced, table

DEMO_KEYS: Final = {
    "pass_key": "demo-pass-key",
    "client_id": "demo-client",
    "client_secret": "demo-secret",
    "aes_key_base64": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
}
#: 2024-01-01 12:00:00 UTC
PAGE_TIME: Final = 1_704_110_400
_KEY: Final = base64_text.decode(DEMO_KEYS["aes_key_base64"])
_OPTIONS: Final = IsuOptions()
_AT: Final = datetime.fromtimestamp(PAGE_TIME, UTC)

_REQUESTS: Final[Mapping[str, dict[str, JSONValue]]] = {
    products.PAYOUT: {
        "beneName": "DEMO BENEFICIARY",
        "beneAccountNo": "000111222333",
        "beneifsc": "DEMO0000001",
        "benePhoneNo": "9000000001",
        "beneBankName": "DEMO BANK",
        "clientReferenceNo": "DEMO0000000001",
        "amount": 100.04,
        "fundTransferType": "IMPS",
        "pincode": "560001",
        "custName": "DEMO CUSTOMER",
        "custMobNo": "9000000002",
        "latlong": "12.9716,77.5946",
        "paramA": "",
        "paramB": "",
    },
    products.STATUS: {
        "$1": "Cashout_addbank_status",
        "$4": "2024-01-01",
        "$5": "2024-01-01",
        "$6": "DEMO0000000001",
        "$10": "",
    },
    products.DYNAMIC_UPI: {
        "payeeVPA": "demo.shop@sandbox",
        # Not QR: the bytes of a PNG differ between releases of zlib.
        "paymentMode": "INTENT",
        "txnAmount": "100.02",
        "channelId": "WEBUSER",
        "txnNote": "Order 1001",
        "clientRefId": "DEMO000001",
        "merchantType": "AGGREGATE",
        "expiryTime": "5",
        "mobilenumber": "9000000003",
    },
    products.ELECTRICITY_BILL: {
        "mobile_no": "9000000004",
        "email": "demo@example.com",
        "biller_params": [{"name": "Consumer Number", "value": "100200300"}],
    },
}
PAYLOADS: Final[Mapping[str, bytes]] = {
    product: json_text.compact(request) for product, request in _REQUESTS.items()
}


def headers(now: float) -> dict[str, str]:
    """Return both headers as the demo partner sends them at Unix time ``now``."""
    return {
        "pass_key": DEMO_KEYS["pass_key"],
        "header_secrets": _seal(_header_text(now), "header_secrets"),
    }


def body(product: str) -> dict[str, str]:
    """Return the body of the demo partner's request for ``product``."""
    return {"RequestData": _seal(PAYLOADS[product], f"{product} request")}


def reply(product: str) -> dict[str, str]:
    """Return the sealed reply to :func:`body`."""
    return {"ResponseData": _seal(json_text.compact(_answer(product)), f"{product} reply")}


def plain(error: IsuError) -> dict[str, JSONValue]:
    """Return the body of an error."""
    found: dict[str, JSONValue] = json.loads(error.reply.body)
    return found


def render() -> dict[str, str]:
    """Return the blocks of docs/protocols/isu.md by name, as Markdown."""
    sent = headers(PAGE_TIME)
    blocks = {
        "keys": table(("member", "value"), DEMO_KEYS.items()),
        "header": "\n\n".join(
            [
                "The plain text:",
                fenced("json", _header_text(PAGE_TIME).decode()),
                f"under the demo key and the IV `{_iv('header_secrets').hex()}` (yours is random) "
                "gives the header:",
                fenced("http", f"header_secrets: {sent['header_secrets']}"),
            ]
        ),
        "callback": _callback(),
        "errors": table(
            ("HTTP", "body", "cause", "what to do"),
            (
                (f"{error.http}", f"`{error.reply.body.decode()}`", *MEANINGS[error])
                for error in IsuError
            ),
        ),
        "findings": findings_table(FINDINGS),
        "signature": signature_example(),
        "options": table(
            ("option", "default", "what it does"),
            (
                (f"`{name}`", f"`{json.dumps(field.default)}`", field.description or "")
                for name, field in IsuOptions.model_fields.items()
            ),
        ),
        "encodings": table(
            ("key_encoding", "the demo key"),
            (
                (name, f"`{key_to_text(_KEY, IsuOptions(key_encoding=name))}`")
                for name in ("base64", "hex")
            ),
        ),
    }
    for product in _REQUESTS:
        blocks[product] = _exchange(product, sent)
    return blocks


def _exchange(product: str, sent: Mapping[str, str]) -> str:
    path = _OPTIONS.paths[product]
    head = [
        f"POST {path} HTTP/1.1",
        "Content-Type: application/json",
        f"pass_key: {sent['pass_key']}",
        f"header_secrets: {sent['header_secrets']}",
    ]
    return "\n\n".join(
        [
            "The request, plain:",
            fenced("json", _pretty(_REQUESTS[product])),
            "on the wire:",
            fenced("http", "\n".join([*head, "", _compact(body(product))])),
            "The reply, on the wire:",
            fenced("json", _compact(reply(product))),
            "opened:",
            fenced("json", _pretty(_answer(product))),
        ]
    )


def _answer(product: str) -> dict[str, JSONValue]:
    """Return what the sandbox answers, made by its own code around rows that are not saved."""
    request = _REQUESTS[product]
    if product == products.PAYOUT:
        return _payout_answer()
    if product == products.STATUS:
        result = _payout_answer() | {"dateTime": clock.written(_AT)}
        return {"status": 200, "message": "Success", "length": 1, "results": [result]}
    if product == products.DYNAMIC_UPI:
        return collection.answer(_collection(CollectionState.INITIATED), request)
    params = [(item["name"], item["value"]) for item in request["biller_params"]]
    return bill.answer(_id("bill").hex, params, _AT.date())


def _payout_answer() -> dict[str, JSONValue]:
    row = Payout(id=_id("payout"), created_at=_AT, ended_at=_AT, state=PayoutState.SUCCESS)
    return payout.answer(row, {"sent": products.echo(_REQUESTS[products.PAYOUT])})


def _collection(state: CollectionState) -> Collection:
    return Collection(id=_id("upi"), created_at=_AT, ended_at=_AT, state=state)


def _callback() -> str:
    row = _collection(CollectionState.SUCCESS)
    told = collection.callback_body(row, {"sent": _REQUESTS[products.DYNAMIC_UPI]})
    sealed = {"RequestData": _seal(json_text.compact(told), "callback")}
    return "\n\n".join(
        [
            fenced("json", _pretty(told)),
            "With `callback_body` = `sealed` the same body travels as:",
            fenced("json", _compact(sealed)),
        ]
    )


def _header_text(now: float) -> bytes:
    return json_text.compact(
        {
            "client_id": DEMO_KEYS["client_id"],
            "client_secret": DEMO_KEYS["client_secret"],
            "epoch": str(int(now)),
        }
    )


def _seal(text: bytes, name: str) -> str:
    return seal_value(_KEY, text, _OPTIONS, iv=_iv(name))


def _iv(name: str) -> bytes:
    return hashlib.sha256(f"isu example {name}".encode()).digest()[:16]


def _id(name: str) -> uuid.UUID:
    return uuid.UUID(bytes=_iv(f"id of {name}"), version=4)


def _compact(value: JSONValue) -> str:
    return json_text.compact(value).decode()


def _pretty(value: JSONValue) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
