"""The e-invoice portal of the sandbox: registering, fetching, cancelling, e-way bills."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crypto_schemes.ciphers import rsa
from crypto_schemes.flynn import documents
from flows_endpoint.flynn.models import EwayBill, Invoice
from flows_endpoint.flynn.sandbox.calendar import INDIA
from tests.flows_endpoint.flynn.partner import (
    BUYER,
    DROP,
    EINV,
    EINV_EWB,
    EINV_V1,
    EWAY,
    Clock,
    Partner,
    counts,
    error_of,
    portal_code,
)

pytestmark = pytest.mark.django_db
Make = Callable[..., Partner]
TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


def irn_of(partner: Partner, number: str = "A/1", year: str = "2024-25", kind: str = "INV") -> str:
    text = f"{partner.bundle['gstin']}{year}{kind}{number}"
    return hashlib.sha256(text.encode()).hexdigest()


def signing_key(partner: Partner, version: int = 1) -> Any:
    row = partner.flow.keys.get(purpose="document_signing", version=version)
    return rsa.load_public_pem(row.public_pem)


def test_a_registered_invoice(partner: Partner) -> None:
    body = partner.invoice("INV/7")
    reply = partner.call(EINV, body)
    assert reply.status_code == 200
    envelope = reply.json()
    assert list(envelope) == ["status", "data", "error", "info", "additionalInfo", "alert"]
    assert {**envelope, "data": None} == {
        "status": "1",
        "data": None,
        "error": None,
        "info": None,
        "additionalInfo": None,
        "alert": None,
    }
    data = envelope["data"]
    assert list(data) == ["AckNo", "AckDt", "Irn", "SignedInvoice", "SignedQRCode", "Status"]
    assert re.fullmatch(r"\d{15}", str(data["AckNo"]))
    assert re.fullmatch(TIME, data["AckDt"])
    there = datetime.strptime(data["AckDt"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=INDIA)
    assert abs(there - datetime.now(UTC)) < timedelta(minutes=1)
    assert data["Irn"] == irn_of(partner, "INV/7")
    assert data["Status"] == "ACT"
    head = {"AckNo": data["AckNo"], "AckDt": data["AckDt"], "Irn": data["Irn"]}
    key = signing_key(partner)
    assert documents.verify(data["SignedInvoice"], key) == {**head, **body}
    assert documents.verify(data["SignedQRCode"], key) == {
        "SellerGstin": partner.bundle["gstin"],
        "BuyerGstin": BUYER,
        "DocNo": "INV/7",
        "DocTyp": "INV",
        "DocDt": "06/05/2024",
        "TotInvVal": 11800,
        "ItemCnt": 1,
        "MainHsnCode": "820411",
        "Irn": data["Irn"],
        "IrnDt": data["AckDt"],
    }
    header = json.loads(base64.urlsafe_b64decode(data["SignedQRCode"].split(".")[0] + "=="))
    assert header["alg"] == "RS256"
    assert header["kid"] == rsa.spki_fingerprint(key)


def test_the_first_generation_answers_with_a_string(partner: Partner) -> None:
    reply = partner.call(EINV_V1, partner.invoice())
    assert list(reply.json()) == ["data"]
    assert json.loads(reply.json()["data"])["Irn"] == irn_of(partner)


def test_unless_the_flow_is_told_otherwise(make_partner: Make) -> None:
    partner = make_partner(options={"v1_data_as_string": False})
    assert partner.call(EINV_V1, partner.invoice()).json()["data"]["Irn"] == irn_of(partner)


@pytest.mark.parametrize("irp", ["ni1", "ni2", "nic"])
def test_every_portal(partner: Partner, irp: str) -> None:
    assert partner.call(EINV.replace("ni1", irp), partner.invoice()).status_code == 200


@pytest.mark.parametrize(
    ("day", "year"),
    [("31/03/2024", "2023-24"), ("01/04/2024", "2024-25"), ("31/12/2019", "2019-20")],
)
def test_the_financial_year_begins_in_april(partner: Partner, day: str, year: str) -> None:
    assert partner.register(DocDtls__Dt=day)["Irn"] == irn_of(partner, year=year)


def test_the_century_turns_in_two_digits(partner: Partner) -> None:
    reply = partner.register("N1", DocDtls__Dt="30/04/2025", DocDtls__Typ="CRN")
    assert reply["Irn"] == irn_of(partner, "N1", "2025-26", "CRN")


def test_a_document_is_registered_once(partner: Partner) -> None:
    partner.register()
    before = counts()
    for path in (EINV, EINV.replace("ni1", "ni2"), EINV_V1):
        reply = partner.call(path, partner.invoice(ItemList__0__PrdDesc="Another text"))
        assert portal_code(reply) == "2150"
    error = error_of(partner.call(EINV_V1, partner.invoice()))
    assert error == {
        "message": "err-irp-returned-error",
        "type": "Irp",
        "args": {
            "details": [
                {
                    "ErrorCode": "2150",
                    "ErrorMessage": "This document is registered already: duplicate IRN.",
                }
            ]
        },
    }
    assert counts() == before


def test_the_signature_covers_no_number_but_the_given_ones(partner: Partner) -> None:
    body = partner.invoice(Irn="0" * 64, AckNo=1, AckDt="2020-01-01 00:00:00", Remark="as sent")
    data = partner.call(EINV, body).json()["data"]
    signed: Any = documents.verify(data["SignedInvoice"], signing_key(partner))
    given = {name: data[name] for name in ("AckNo", "AckDt", "Irn")}
    assert data["Irn"] == irn_of(partner)
    assert signed == {**body, **given}


def test_other_documents_of_the_same_number(partner: Partner, make_partner: Make) -> None:
    irns = {
        partner.register()["Irn"],
        partner.register(DocDtls__Typ="CRN")["Irn"],
        partner.register(DocDtls__Dt="31/03/2024")["Irn"],
        make_partner(address="other").register()["Irn"],
    }
    assert len(irns) == 4


def test_it_can_be_fetched(partner: Partner) -> None:
    data = partner.register()
    for irn in (data["Irn"], data["Irn"].upper()):
        reply = partner.call(f"{EINV}/irn/{irn}", method="GET")
        assert reply.json()["data"] == {
            **data,
            "EwbNo": None,
            "EwbDt": None,
            "EwbValidTill": None,
        }


def test_another_flow_does_not_see_it(partner: Partner, make_partner: Make) -> None:
    irn = partner.register()["Irn"]
    other = make_partner(address="other")
    assert portal_code(other.call(f"{EINV}/irn/{irn}", method="GET")) == "2148"
    order = {"Irn": irn, "CnlRsn": "1", "CnlRem": "x"}
    assert portal_code(other.call(f"{EINV}/Cancel", order)) == "2148"
    assert portal_code(other.call(EINV_EWB, {"Irn": irn, "Distance": 5})) == "2148"
    assert Invoice.objects.get().status == "ACT"


@pytest.mark.parametrize("irn", ["0" * 64, "x", "%00", "💥", "a" * 5000])
def test_an_unknown_irn(partner: Partner, irn: str) -> None:
    assert portal_code(partner.call(f"{EINV}/irn/{irn}", method="GET")) == "2148"


@pytest.mark.parametrize("reason", ["1", "2", "3", "4", 1, 4])
def test_cancelling(partner: Partner, reason: Any) -> None:
    irn = partner.register()["Irn"]
    order = {"Irn": irn, "CnlRsn": reason, "CnlRem": "Typing error"}
    reply = partner.call(f"{EINV}/Cancel", order)
    assert reply.status_code == 200
    data = reply.json()["data"]
    assert list(data) == ["Irn", "CancelDate"]
    assert data["Irn"] == irn
    assert re.fullmatch(TIME, data["CancelDate"])
    row = Invoice.objects.get()
    assert (row.status, row.cancel_reason) == ("CNL", int(reason))
    fetched = partner.call(f"{EINV}/irn/{irn}", method="GET").json()["data"]
    assert fetched["Status"] == "CNL"
    assert portal_code(partner.call(f"{EINV}/Cancel", order)) == "9999"
    assert portal_code(partner.call(EINV_EWB, {"Irn": irn, "Distance": 5})) == "9999"
    # The number of a cancelled invoice is not free again.
    assert portal_code(partner.call(EINV, partner.invoice())) == "2150"


def test_cancelling_ends_after_a_day(partner: Partner, clock: Clock) -> None:
    early, late = partner.register("A/1")["Irn"], partner.register("A/2")["Irn"]
    clock.forward(hours=24, minutes=-1)
    partner.forget_token()
    order = {"CnlRsn": "2", "CnlRem": "Twice"}
    assert partner.call(f"{EINV}/Cancel", {**order, "Irn": early}).status_code == 200
    clock.forward(minutes=2)
    assert portal_code(partner.call(f"{EINV}/Cancel", {**order, "Irn": late})) == "2270"
    assert Invoice.objects.filter(status="ACT").count() == 1


def test_the_eway_bill_of_an_invoice(partner: Partner) -> None:
    irn = partner.register()["Irn"]
    order = {"Irn": irn, "Distance": 984, "TransMode": "1", "VehNo": "KA 01 ab 1234"}
    reply = partner.call(EINV_EWB, order)
    assert reply.status_code == 200
    data = reply.json()["data"]
    assert list(data) == ["EwbNo", "EwbDt", "EwbValidTill", "Remarks"]
    assert re.fullmatch(r"\d{12}", str(data["EwbNo"]))
    assert re.fullmatch(TIME, data["EwbDt"])
    made = datetime.fromisoformat(data["EwbDt"])
    assert data["EwbValidTill"] == f"{made + timedelta(days=5):%Y-%m-%d} 23:59:00"
    assert portal_code(partner.call(EINV_EWB, order)) == "4002"
    fetched = partner.call(f"{EINV}/irn/{irn}", method="GET").json()["data"]
    assert (fetched["EwbNo"], fetched["EwbValidTill"]) == (data["EwbNo"], data["EwbValidTill"])
    shown = partner.call(f"{EWAY}/GetEwayBill?ewbNo={data['EwbNo']}", method="GET").json()["data"]
    assert shown["docNo"] == "A/1"
    assert shown["VehiclListDetails"][0]["vehicleNo"] == "KA01AB1234"


def test_an_invoice_with_an_eway_bill_is_not_cancelled(partner: Partner) -> None:
    irn = partner.register()["Irn"]
    number = partner.call(EINV_EWB, {"Irn": irn, "Distance": 5}).json()["data"]["EwbNo"]
    order = {"Irn": irn, "CnlRsn": "1", "CnlRem": "x"}
    assert portal_code(partner.call(f"{EINV}/Cancel", order)) == "2230"
    assert partner.call(f"{EWAY}/cancel", {"ewbNo": number, "cancelRsnCode": 1}).status_code == 200
    assert partner.call(f"{EINV}/Cancel", order).status_code == 200


def test_an_invoice_that_brings_its_eway_bill(partner: Partner) -> None:
    data = partner.register(EwbDtls={"Distance": 150, "TransMode": "1", "VehNo": "KA01AB1234"})
    assert list(data)[-4:] == ["EwbNo", "EwbDt", "EwbValidTill", "Remarks"]
    assert EwayBill.objects.get().invoice == Invoice.objects.get()
    reply = partner.call(EINV, partner.invoice("A/2", EwbDtls={"Distance": "far"}))
    assert error_of(reply)["args"] == {"errorLocation": "body.EwbDtls.Distance"}
    assert Invoice.objects.count() == 1  # all or nothing


def test_a_distance_of_nought_asks_the_portal(partner: Partner, settings: Any) -> None:
    found: list[int] = []
    for seed in ("one", "one", "two"):
        settings.SANDBOX_SEED = seed
        irn = partner.register(f"A/{len(found) + 1}")["Irn"]
        order = {"Irn": irn, "Distance": 0, "VehNo": "KA01AB1234"}
        number = partner.call(EINV_EWB, order).json()["data"]["EwbNo"]
        path = f"{EWAY}/GetEwayBill?ewbNo={number}"
        found.append(partner.call(path, method="GET").json()["data"]["actualDist"])
    assert found[0] == found[1] != found[2]
    assert all(1 <= distance <= 900 for distance in found)


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("3028", {"BuyerDtls__Gstin": "27demcx5678b1z4"}),
        ("3028", {"BuyerDtls__Gstin": "27DEMCX5678B1Z"}),
        ("3028", {"SellerDtls__Gstin": "URP"}),
        ("2143", {"SellerDtls__Gstin": BUYER}),
        ("2163", {"DocDtls__Dt": "31/12/2099"}),
        ("2182", {"ValDtls__AssVal": 9998.9}),
        ("2189", {"ValDtls__TotInvVal": 11798.9}),
        ("2189", {"ValDtls__OthChrg": 5}),
    ],
)
def test_what_the_portal_refuses(partner: Partner, code: str, changes: dict[str, Any]) -> None:
    before = counts()
    assert portal_code(partner.call(EINV, partner.invoice(**changes))) == code
    assert {**counts(), "UserSession": 0, "Account": 0} == {**before}


def test_nobody_invoices_himself(partner: Partner) -> None:
    own = partner.bundle["gstin"]
    assert portal_code(partner.call(EINV, partner.invoice(BuyerDtls__Gstin=own))) == "2211"


@pytest.mark.parametrize(
    "changes",
    [
        {"ValDtls__AssVal": 9999.5},
        {"ValDtls__OthChrg": 10.5, "ValDtls__Discount": 5.5, "ValDtls__TotInvVal": 11805},
        {"ValDtls__RndOffAmt": -0.4, "ValDtls__TotInvVal": 11799.6},
        {"BuyerDtls__Gstin": "URP", "BuyerDtls__Pin": DROP, "TranDtls__SupTyp": "EXPWP"},
        {"Version": "1.01", "more": {"unknown": [1, "x", None]}},
        {"BuyerDtls__Gstin": "29ABCDE1234F000"},
        {"ItemList": [{}], "ValDtls": {}, "TranDtls": {}},
        {"ItemList": [{"SlNo": 1, "AssAmt": 5}, {"SlNo": 2}]},
    ],
)
def test_what_the_portal_takes(partner: Partner, changes: dict[str, Any]) -> None:
    assert partner.register(**changes)["Status"] == "ACT"


def test_the_main_item_is_the_dearest(partner: Partner) -> None:
    item = partner.invoice()["ItemList"][0]
    cheap = {**item, "SlNo": "2", "HsnCd": "1001", "AssAmt": 1, "TotItemVal": 1}
    dear = {**item, "SlNo": "3", "HsnCd": "9403", "AssAmt": 20000, "TotItemVal": 20000}
    data = partner.register(
        ItemList=[cheap, item, dear], ValDtls__AssVal=30001, ValDtls__TotInvVal=31801
    )
    qr = documents.verify(data["SignedQRCode"], signing_key(partner))
    assert (qr["ItemCnt"], qr["MainHsnCode"]) == (3, "9403")
