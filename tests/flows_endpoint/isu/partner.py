"""A partner of ISU who talks to the product over Django's test client."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.test import Client

from callbacks.models import Delivery
from crypto_schemes import base64_text, json_text
from crypto_schemes.envelope import SealedReply, SealedRequest
from crypto_schemes.isu import SCHEME, IsuOptions
from crypto_schemes.json_text import JSONValue
from crypto_schemes.keys import Credentials, KeyVersion
from flows_endpoint.models import Timer
from tenants import at_rest

PATHS = IsuOptions().paths
_references = itertools.count(1)

PAYOUT: dict[str, JSONValue] = {
    "beneName": "ASTER FERN",
    "beneAccountNo": "000111222333",
    "beneifsc": "DEMO0000001",
    "benePhoneNo": "9000000001",
    "beneBankName": "DEMO BANK",
    "clientReferenceNo": "SET BY payout()",
    "amount": "100.04",
    "fundTransferType": "IMPS",
    "pincode": "560001",
    "custName": "BIRCH CEDAR",
    "custMobNo": "9000000002",
    "latlong": "12.9716,77.5946",
    "paramA": "a",
    "paramB": "",
}
UPI: dict[str, JSONValue] = {
    "payeeVPA": "demo.shop@sandbox",
    "paymentMode": "QR",
    "txnAmount": "250.02",
    "channelId": "WEBUSER",
    "txnNote": "Order 1001",
    "clientRefId": "SET BY upi()",
    "merchantType": "AGGREGATE",
    "expiryTime": "5",
    "mobilenumber": "9000000003",
}
BILL: dict[str, JSONValue] = {
    "mobile_no": "9000000004",
    "email": "demo@example.com",
    "biller_params": [{"name": "Consumer Number", "value": "100200300"}],
}


def reference() -> str:
    """Return a reference nobody used yet: 14 alphanumerics."""
    return f"TEST{next(_references):010}"


def payout(**changed: JSONValue) -> dict[str, JSONValue]:
    return {**PAYOUT, "clientReferenceNo": reference(), **changed}


def upi(**changed: JSONValue) -> dict[str, JSONValue]:
    return {**UPI, "clientRefId": reference(), **changed}


def status(**changed: JSONValue) -> dict[str, JSONValue]:
    today = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 5.5 * 3600))
    return {"$1": "Cashout_addbank_status", "$4": today, "$5": today, **changed}


@dataclass
class Partner:
    """Seals, posts and opens with the credentials of one flow."""

    client: Client
    flow: Any
    given: Mapping[str, str]
    options: IsuOptions = field(default_factory=IsuOptions)
    payload_key: bytes = b""

    @property
    def credentials(self) -> Credentials:
        versions: dict[str, str | bytes] = {
            "pass_key": self.given["pass_key"],
            "client_secret": self.given["client_secret"],
            "isu_aes": base64_text.decode(self.given["aes_key_base64"]),
        }
        if self.payload_key:
            versions["isu_payload_aes"] = self.payload_key
        return Credentials(
            {"client_id": self.given["client_id"]},
            {name: (KeyVersion(name, name, 1, secret),) for name, secret in versions.items()},
        )

    def seal(self, payload: JSONValue, now: float | None = None) -> SealedRequest:
        moment = time.time() if now is None else now
        return SCHEME.seal_request(payload, self.credentials, self.options, now=moment)

    def send(self, sent: SealedRequest, product: str = "payout", **more: Any) -> Any:
        headers = {name: text for name, text in sent.headers.items() if name != "content-type"}
        details = {"content_type": "application/json", "headers": headers, **more}
        path = details.pop("path", self.options.paths.get(product, product))
        return self.client.generic(details.pop("method", "POST"), path, sent.body, **details)

    def open(self, response: Any, sent: SealedRequest | None = None) -> Any:
        assert response.status_code == 200, response.content
        assert list(json.loads(response.content)) == ["ResponseData"]
        return SCHEME.open_reply(
            SealedReply(response.content),
            sent or SealedRequest(b""),
            self.credentials,
            self.options,
            now=0,
        )

    def ask(self, product: str, payload: JSONValue) -> Any:
        """Return the opened answer of ``product`` to ``payload``."""
        sent = self.seal(payload)
        return self.open(self.send(sent, product), sent)


def plain(response: Any) -> tuple[int, str]:
    """Return status and body of an error."""
    return response.status_code, response.content.decode()


def error(http: int, text: str, code: int = -1) -> tuple[int, str]:
    """Return what :func:`plain` gives for an error of the contract."""
    return http, json_text.compact({"status": code, "statusDesc": text}).decode()


INVALID_HEADER = error(401, "Invalid header secrets")
INVALID_DATA = error(400, "Invalid RequestData")
NOT_ALLOWED = (405, '{"ResponseData":"Invalid Request"}')


def business_rows() -> dict[str, int]:
    """Return how many rows each table of business has."""
    models: list[Any] = [*apps.get_app_config("isu").get_models(), Delivery, Timer]
    return {model.__name__: model._default_manager.count() for model in models}


def delivered_body(delivery: Delivery) -> Any:
    return json.loads(at_rest.open_sealed(delivery.body, delivery.at_rest_context))
