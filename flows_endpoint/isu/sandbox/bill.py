"""Electricity bill: what a consumer owes. Keeps nothing; the same consumer has the same bill."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from crypto_schemes import json_text
from crypto_schemes.json_text import JSONValue
from flows_endpoint.backends import Call
from flows_endpoint.isu.products import ELECTRICITY_BILL, business_failure
from flows_endpoint.isu.sandbox import clock, fields, story
from flows_endpoint.isu.sandbox.fields import FieldError
from tenants import keyring

#: A consumer number that ends so owes nothing.
NO_BILL = "0000"
MOST_PARAMS = 10

_REQUIRED = {
    "mobile_no": fields.matching(r"[0-9]{10}"),
    "email": fields.matching(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+"),
}
_PARAM = {"name": fields.text(64), "value": fields.text(64)}


def fetch(call: Call, payload: Mapping[str, JSONValue]) -> JSONValue:
    """Return the open bill of the consumer that ``biller_params`` name. Raises FieldError."""
    fields.require(payload, _REQUIRED, {})
    params = _params(payload)
    if params[0][1].endswith(NO_BILL):
        return business_failure(ELECTRICITY_BILL, "No bill is due", payload)
    today = keyring.utc(call.received_at).astimezone(clock.INDIA).date()
    return answer(uuid.uuid4().hex, params, today)


def answer(
    transaction_id: str, params: Sequence[tuple[str, str]], today: date
) -> dict[str, JSONValue]:
    """Return the bill of the month of ``today`` for the consumer with these parameters."""
    consumer = json_text.compact(params).decode()
    issued = today.replace(day=1)
    year, number, _ = issued.isoformat().split("-")
    month = year + number
    paise = 20_000 + story.number(480_000, "bill amount", consumer, month)
    return {
        "txnId": transaction_id,
        "status": "SUCCESS",
        "status_desc": "Bill fetched",
        "data_obj": {
            "customer_name": f"SANDBOX CONSUMER {story.digits(4, 'bill name', consumer)}",
            "bill_number": f"{month}{story.digits(8, 'bill number', consumer, month)}",
            "bill_date": issued.isoformat(),
            "due_date": (issued + timedelta(days=20)).isoformat(),
            "bill_period": f"{number}-{year}",
            "bill_amount": f"{paise // 100}.{paise % 100:02}",
        },
    }


def _params(payload: Mapping[str, JSONValue]) -> list[tuple[str, str]]:
    value = payload.get("biller_params")
    if value is None:
        raise FieldError("biller_params is missing")
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_PARAMS:
        raise FieldError("Invalid biller_params")
    params = []
    for item in value:
        if not isinstance(item, dict):
            raise FieldError("Invalid biller_params")
        try:
            fields.require(item, _PARAM, {})
        except FieldError:
            raise FieldError("Invalid biller_params") from None
        params.append((item["name"], item["value"]))
    return params
