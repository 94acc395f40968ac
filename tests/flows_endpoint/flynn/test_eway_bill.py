"""The e-way bill portal of the sandbox: numbers, validity, vehicles, transporters."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from flows_endpoint.flynn.models import EwayBill
from flows_endpoint.flynn.sandbox.calendar import INDIA, ewb_time, financial_year, valid_until
from tests.flows_endpoint.flynn.partner import (
    BUYER,
    DROP,
    EWAY,
    EWAY_V1,
    Clock,
    Partner,
    counts,
    error_of,
    portal_code,
)

pytestmark = pytest.mark.django_db
Make = Callable[..., Partner]
TIME = r"\d\d/\d\d/\d{4} (?:0[1-9]|1[0-2]):\d\d:\d\d [AP]M"
VEHICLE = {"vehicleNo": "MH12CD5678", "transMode": "1", "fromPlace": "Pune", "fromState": 27}
PART_B = {**VEHICLE, "reasonCode": "1", "reasonRem": "Broke down"}
EXTENSION = {**VEHICLE, "extnRsnCode": 1, "extnRemarks": "Flood", "remainingDistance": 300}
TRANSPORTER = "29TRANS1234X1Z0"


def shown(partner: Partner, number: int) -> dict[str, Any]:
    data: dict[str, Any] = partner.call(f"{EWAY}/GetEwayBill?ewbNo={number}", method="GET").json()[
        "data"
    ]
    return data


def ends_in(hours: float) -> None:
    """Let the only e-way bill end so many hours from now."""
    EwayBill.objects.update(valid_until=datetime.now(UTC) + timedelta(hours=hours))


def test_a_new_eway_bill(partner: Partner) -> None:
    reply = partner.call(f"{EWAY}/gen-ewb", partner.eway_bill())
    assert reply.status_code == 200
    assert reply.json()["status"] == "1"
    data = reply.json()["data"]
    assert list(data) == ["ewayBillNo", "ewayBillDate", "validUpto", "alert"]
    assert re.fullmatch(r"[1-9]\d{11}", str(data["ewayBillNo"]))
    assert re.fullmatch(TIME, data["ewayBillDate"])
    day, month, year = map(int, data["ewayBillDate"].split()[0].split("/"))
    end = date(year, month, day) + timedelta(days=5)
    assert data["validUpto"] == f"{end:%d/%m/%Y} 11:59:00 PM"


@pytest.mark.parametrize("base", [EWAY.replace("ew1", "ew2"), EWAY_V1, f"{EWAY_V1}/ewayapi"])
def test_every_address(partner: Partner, base: str) -> None:
    reply = partner.call(f"{base}/gen-ewb", partner.eway_bill())
    data = reply.json()["data"]
    assert isinstance(data, str) is base.startswith(EWAY_V1)
    number = (json.loads(data) if isinstance(data, str) else data)["ewayBillNo"]
    reply = partner.call(f"{base}/GetEwayBill?ewbNo={number}", method="GET")
    assert reply.status_code == 200


@pytest.mark.parametrize(
    ("km", "days", "oversize"),
    [
        (1, 1, False),
        (200, 1, False),
        (201, 2, False),
        (400, 2, False),
        (4000, 20, False),
        (20, 1, True),
        (21, 2, True),
    ],
)
def test_a_day_for_every_two_hundred_kilometres(km: int, days: int, oversize: bool) -> None:
    start = datetime(2024, 5, 6, 23, 0, tzinfo=INDIA)
    expected = datetime(2024, 5, 6, 23, 59, tzinfo=INDIA) + timedelta(days=days)
    assert valid_until(start, km, oversize=oversize) == expected


def test_days_are_days_in_india() -> None:
    late = datetime(2024, 5, 6, 20, 0, tzinfo=UTC)  # half past one on the 7th in India
    assert valid_until(late, 5, oversize=False) == datetime(2024, 5, 8, 23, 59, tzinfo=INDIA)
    assert ewb_time(late) == "07/05/2024 01:30:00 AM"
    assert ewb_time(datetime(2024, 5, 6, 12, 15, 9, tzinfo=INDIA)) == "06/05/2024 12:15:09 PM"
    assert ewb_time(datetime(2024, 5, 6, 0, 15, tzinfo=INDIA)) == "06/05/2024 12:15:00 AM"
    assert ewb_time(datetime(2024, 5, 6, 23, 59, tzinfo=INDIA)) == "06/05/2024 11:59:00 PM"
    assert financial_year(datetime(2099, 4, 1, tzinfo=INDIA).date()) == "2099-00"


def test_it_shows_what_was_sent(partner: Partner) -> None:
    order = partner.eway_bill(toTrdName="Example Traders", status="forged", ewbNo=1)
    number = partner.call(f"{EWAY}/gen-ewb", order).json()["data"]["ewayBillNo"]
    data = shown(partner, number)
    assert data["ewbNo"] == number
    assert data["userGstin"] == partner.bundle["gstin"]
    assert data["toTrdName"] == "Example Traders"
    assert data["itemList"] == order["itemList"]
    assert (data["status"], data["noValidDays"], data["actualDist"]) == ("ACT", 5, 984)
    assert (data["extendedTimes"], data["genMode"]) == (0, "API")
    assert data["VehiclListDetails"] == [
        {
            "updMode": "API",
            "vehicleNo": "KA01AB1234",
            "fromPlace": "",
            "fromState": 0,
            "enteredDate": data["ewayBillDate"],
            "transMode": "1",
            "transDocNo": "",
            "transDocDate": "",
        }
    ]


def test_one_active_eway_bill_a_document(partner: Partner, make_partner: Make) -> None:
    number = partner.make_eway_bill()
    before = counts()
    reply = partner.call(f"{EWAY}/gen-ewb", partner.eway_bill(totInvValue=5))
    assert portal_code(reply) == "604"
    assert error_of(reply) == {
        "message": "err-ewb-returned-error",
        "type": "Ewb",
        "args": {
            "details": [
                {
                    "ErrorCode": "604",
                    "ErrorMessage": "There is an active e-way bill for this document already.",
                }
            ],
            "error-codes": [604],
        },
    }
    assert counts() == before
    partner.make_eway_bill("E/2")
    partner.make_eway_bill(docType="CHL")
    make_partner(address="other").make_eway_bill()
    partner.call(f"{EWAY}/cancel", {"ewbNo": number, "cancelRsnCode": 2})
    assert partner.make_eway_bill() != number


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_cancelling(partner: Partner, method: str) -> None:
    number = partner.make_eway_bill()
    order = {"ewbNo": number, "cancelRsnCode": 3, "cancelRmrk": "Cancelled"}
    reply = partner.call(f"{EWAY}/cancel", order, method=method)
    data = reply.json()["data"]
    assert list(data) == ["ewayBillNo", "cancelDate"]
    assert data["ewayBillNo"] == number
    assert re.fullmatch(TIME, data["cancelDate"])
    assert (shown(partner, number)["status"], EwayBill.objects.get().cancel_reason) == ("CNL", 3)
    assert portal_code(partner.call(f"{EWAY}/cancel", order)) == "312"


def test_cancelling_ends_after_a_day(partner: Partner, clock: Clock) -> None:
    number = partner.make_eway_bill()
    clock.forward(hours=24, minutes=1)
    partner.forget_token()
    reply = partner.call(f"{EWAY}/cancel", {"ewbNo": number, "cancelRsnCode": 1})
    assert portal_code(reply) == "315"
    assert EwayBill.objects.get().status == "ACT"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_the_first_vehicle_begins_the_validity(partner: Partner, method: str) -> None:
    number = partner.make_eway_bill(vehicleNo=DROP, transMode=DROP)
    data = shown(partner, number)
    assert (data["validUpto"], data["noValidDays"], data["VehiclListDetails"]) == (None, 0, [])
    reply = partner.call(f"{EWAY}/update-part-b", {**PART_B, "ewbNo": str(number)}, method=method)
    data = reply.json()["data"]
    assert list(data) == ["vehUpdDate", "validUpto"]
    assert re.fullmatch(TIME, data["validUpto"])
    assert shown(partner, number)["validUpto"] == data["validUpto"]


def test_a_later_vehicle_changes_no_end(partner: Partner) -> None:
    number = partner.make_eway_bill()
    end = shown(partner, number)["validUpto"]
    reply = partner.call(f"{EWAY}/update-part-b", {**PART_B, "ewbNo": number})
    assert reply.json()["data"]["validUpto"] == end
    vehicles = shown(partner, number)["VehiclListDetails"]
    assert [vehicle["vehicleNo"] for vehicle in vehicles] == ["MH12CD5678", "KA01AB1234"]
    assert (vehicles[0]["fromPlace"], vehicles[0]["fromState"]) == ("Pune", 27)
    ends_in(-0.1)
    reply = partner.call(f"{EWAY}/update-part-b", {**PART_B, "ewbNo": number})
    assert portal_code(reply) == "311"


def test_by_rail_a_document_stands_for_the_vehicle(partner: Partner) -> None:
    rail = {"transMode": "2", "transDocNo": "RR-77", "transDocDate": "05/05/2024"}
    number = partner.make_eway_bill(vehicleNo=DROP, **rail)
    (vehicle,) = shown(partner, number)["VehiclListDetails"]
    assert (vehicle["vehicleNo"], vehicle["transDocNo"]) == ("", "RR-77")
    by_road = partner.eway_bill("E/2", vehicleNo=DROP, transDocNo="RR-77")
    assert portal_code(partner.call(f"{EWAY}/gen-ewb", by_road)) == "226"


@pytest.mark.parametrize(
    ("hours", "code"), [(-7.9, None), (7.9, None), (-8.1, "382"), (8.1, "382")]
)
def test_extending_around_the_end(partner: Partner, hours: float, code: str | None) -> None:
    number = partner.make_eway_bill()
    ends_in(hours)
    before = EwayBill.objects.get().valid_until
    reply = partner.call(f"{EWAY}/extend-validity", {**EXTENSION, "ewbNo": number})
    after = EwayBill.objects.get()
    if code:
        assert portal_code(reply) == code
        assert (after.valid_until, after.extended_times) == (before, 0)
        return
    assert list(reply.json()["data"]) == ["ewayBillNo", "updatedDate", "validUpto"]
    assert after.extended_times == 1
    assert before is not None
    assert after.valid_until is not None
    start = max(before, datetime.now(UTC)).astimezone(INDIA)
    assert after.valid_until.astimezone(INDIA).date() == start.date() + timedelta(days=2)
    assert shown(partner, number)["extendedTimes"] == 1


def test_what_cannot_be_extended(partner: Partner) -> None:
    number = partner.make_eway_bill(vehicleNo=DROP)
    path = f"{EWAY}/extend-validity"
    order = {**EXTENSION, "ewbNo": number}
    assert portal_code(partner.call(path, order)) == "381"
    partner.call(f"{EWAY}/update-part-b", {**PART_B, "ewbNo": number})
    ends_in(1)
    assert portal_code(partner.call(path, {**order, "remainingDistance": 985})) == "390"
    partner.call(f"{EWAY}/cancel", {"ewbNo": number, "cancelRsnCode": 1})
    assert portal_code(partner.call(path, order)) == "379"
    assert portal_code(partner.call(path, {**order, "ewbNo": 123456789012})) == "312"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_another_transporter(partner: Partner, method: str) -> None:
    number = partner.make_eway_bill(vehicleNo=DROP)
    path, order = f"{EWAY}/update-transporter", {"ewbNo": number, "transporterId": TRANSPORTER}
    reply = partner.call(path, order, method=method)
    data = reply.json()["data"]
    assert list(data) == ["ewayBillNo", "transporterId", "transUpdateDate"]
    assert (data["ewayBillNo"], data["transporterId"]) == (number, TRANSPORTER)
    assert shown(partner, number)["transporterId"] == TRANSPORTER
    partner.call(f"{EWAY}/update-part-b", {**PART_B, "ewbNo": number})
    assert portal_code(partner.call(path, order, method=method)) == "338"
    ends_in(-1)
    assert portal_code(partner.call(path, order, method=method)) == "281"
    EwayBill.objects.update(status="CNL", cancelled_at=datetime.now(UTC))
    assert portal_code(partner.call(path, order, method=method)) == "312"


def test_another_flow_does_not_see_it(partner: Partner, make_partner: Make) -> None:
    number = partner.make_eway_bill()
    other = make_partner(address="other")
    for path, order in (
        ("cancel", {"cancelRsnCode": 1}),
        ("update-part-b", PART_B),
        ("extend-validity", EXTENSION),
        ("update-transporter", {"transporterId": TRANSPORTER}),
    ):
        assert portal_code(other.call(f"{EWAY}/{path}", {**order, "ewbNo": number})) == "312"
    reply = other.call(f"{EWAY}/GetEwayBill?ewbNo={number}", method="GET")
    assert portal_code(reply) == "325"
    assert EwayBill.objects.get().status == "ACT"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("ewbNo=12", "301"),
        ("ewbNo=012345678901", "301"),
        ("ewbNo=abcdefghijkl", "301"),
        ("ewbNo=%00", "301"),
        ("ewbNo=" + "9" * 5000, "301"),
        ("ewbNo=%D9%A1" + "1" * 11, "301"),
        ("ewbNo=123456789012", "325"),
    ],
)
def test_a_number_that_is_none(partner: Partner, query: str, code: str) -> None:
    assert portal_code(partner.call(f"{EWAY}/GetEwayBill?{query}", method="GET")) == code


@pytest.mark.parametrize("query", ["", "?ewbNo=", "?ewbno=123456789012"])
def test_no_number_at_all(partner: Partner, query: str) -> None:
    reply = partner.call(f"{EWAY}/GetEwayBill{query}", method="GET")
    assert error_of(reply)["args"] == {"errorLocation": "query.ewbNo"}


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("359", {"fromGstin": BUYER}),
        ("360", {"supplyType": "I"}),
        ("208", {"fromGstin": "29DEMCX1234D1Z"}),
        ("212", {"toGstin": "X"}),
        ("207", {"docDate": "31/12/2099"}),
        ("225", {"vehicleNo": "??"}),
        ("225", {"vehicleNo": "12345"}),
    ],
)
def test_what_the_portal_refuses(partner: Partner, code: str, changes: dict[str, Any]) -> None:
    reply = partner.call(f"{EWAY}/gen-ewb", partner.eway_bill(**changes))
    assert portal_code(reply) == code
    assert error_of(reply)["args"]["error-codes"] == [int(code)]
    assert not EwayBill.objects.exists()


def test_the_least_there_is(partner: Partner) -> None:
    order = partner.eway_bill()
    needed = ("docType", "docNo", "docDate", "fromGstin", "toGstin", "transDistance")
    least = {name: order[name] for name in needed}
    data = partner.call(f"{EWAY}/gen-ewb", least).json()["data"]
    assert data["validUpto"] is None
    for name in needed:
        reply = partner.call(f"{EWAY}/gen-ewb", {**least, name: None})
        assert error_of(reply)["args"] == {"errorLocation": f"body.{name}"}
    order = {"ewbNo": data["ewayBillNo"], "vehicleNo": "KA01AB1234"}
    assert partner.call(f"{EWAY}/update-part-b", order).status_code == 200
    ends_in(1)
    order = {**order, "remainingDistance": 10}
    assert partner.call(f"{EWAY}/extend-validity", order).status_code == 200


def test_what_comes_in(partner: Partner) -> None:
    own = partner.bundle["gstin"]
    partner.make_eway_bill(supplyType="I", fromGstin="URP", toGstin=own)
    partner.make_eway_bill("E/2", toGstin="URP", transDistance=0, vehicleType="O")
    assert EwayBill.objects.count() == 2
