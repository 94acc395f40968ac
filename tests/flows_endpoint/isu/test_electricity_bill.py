"""Electricity bills: the same consumer owes the same; nothing is kept."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from crypto_schemes.json_text import JSONValue
from tests.flows_endpoint.isu.partner import BILL, Partner, business_rows

pytestmark = pytest.mark.django_db


def test_a_bill(partner: Partner) -> None:
    before = business_rows()
    answer = partner.ask("electricity_bill", BILL)
    assert list(answer) == ["txnId", "status", "status_desc", "data_obj"]
    assert (answer["status"], answer["status_desc"]) == ("SUCCESS", "Bill fetched")
    bill = answer["data_obj"]
    assert list(bill) == [
        "customer_name",
        "bill_number",
        "bill_date",
        "due_date",
        "bill_period",
        "bill_amount",
    ]
    issued = date.fromisoformat(bill["bill_date"])
    assert issued.day == 1
    assert date.fromisoformat(bill["due_date"]) == issued + timedelta(days=20)
    assert 200 <= float(bill["bill_amount"]) < 5000
    assert business_rows() == before


def test_the_same_consumer_has_the_same_bill_and_another_has_not(partner: Partner) -> None:
    first, again = (partner.ask("electricity_bill", BILL) for _ in range(2))
    assert again["data_obj"] == first["data_obj"]
    assert again["txnId"] != first["txnId"]
    other = {**BILL, "biller_params": [{"name": "Consumer Number", "value": "100200301"}]}
    assert partner.ask("electricity_bill", other)["data_obj"] != first["data_obj"]


def test_a_consumer_who_owes_nothing(partner: Partner) -> None:
    sent = {**BILL, "biller_params": [{"name": "Consumer Number", "value": "1000000"}]}
    assert partner.ask("electricity_bill", sent) == failure("No bill is due")


BAD_MEMBERS: list[tuple[str, JSONValue]] = [
    ("mobile_no", "12345"),
    ("mobile_no", 9000000004),
    ("email", "nobody"),
    ("email", "a@b"),
    ("email", ["a@b.example"]),
    ("biller_params", []),
    ("biller_params", {}),
    ("biller_params", "Consumer Number"),
    ("biller_params", [{"name": "n", "value": "v"}] * 11),
    ("biller_params", [{"name": "n"}]),
    ("biller_params", [{"value": "v"}]),
    ("biller_params", [{"name": "n", "value": 5}]),
    ("biller_params", [{"name": "", "value": "v"}]),
    ("biller_params", [["n", "v"]]),
    ("biller_params", [None]),
    ("biller_params", [{"name": "n", "value": "x" * 65}]),
]


def failure(text: str) -> dict[str, JSONValue]:
    return {"txnId": "", "status": "FAILED", "status_desc": text, "data_obj": {}}


def test_a_bad_or_missing_member_is_named(partner: Partner) -> None:
    wrong = []
    for name, value in BAD_MEMBERS:
        answer = partner.ask("electricity_bill", {**BILL, name: value})
        if answer != failure(f"Invalid {name}"):
            wrong.append((name, value, answer))
    for name in BILL:
        sent = {member: value for member, value in BILL.items() if member != name}
        answer = partner.ask("electricity_bill", sent)
        if answer != failure(f"{name} is missing"):
            wrong.append((name, None, answer))
    assert not wrong
