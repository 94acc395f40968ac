"""The e-way bill portal: makes e-way bills, shows them, and follows the goods."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any, Final

from crypto_schemes.json_text import JSONValue
from flows_endpoint.backends import Call
from flows_endpoint.flynn.errors import ewb_refused, invalid
from flows_endpoint.flynn.fields import Fields
from flows_endpoint.flynn.models import EwayBill, Status
from flows_endpoint.flynn.sandbox import eway_issue
from flows_endpoint.flynn.sandbox.calendar import (
    CANCELLABLE,
    EXTENDABLE,
    ewb_time,
    financial_year,
    today,
    valid_until,
)
from flows_endpoint.flynn.sandbox.invoice_form import UNREGISTERED, is_tax_number
from flows_endpoint.flynn.sandbox.records import record_of, seal_into
from flows_endpoint.flynn.sandbox.transport import (
    EWB_NAMES,
    FARTHEST,
    entered_part_b,
    read_distance,
    read_part_b,
    read_transporter,
)
from tenants.keyring import utc

_NUMBER: Final = re.compile(r"[1-9][0-9]{11}")
DOCUMENT_NO: Final = r"[A-Za-z0-9/-]{1,16}"
_MOST_ITEMS: Final = 250


def generate(call: Call, user_gstin: str) -> JSONValue:
    """Make an e-way bill for the document in the body."""
    fields = Fields(call.payload["body"])
    supply = fields.optional_choice("supplyType", "O", "I") or "O"
    fields.optional_choice("subSupplyType", *map(str, range(1, 13)))
    document_type = fields.choice("docType", "INV", "BIL", "BOE", "CHL", "OTH")
    document_no = fields.matching("docNo", DOCUMENT_NO)
    day = fields.day("docDate")
    from_gstin = fields.text("fromGstin", 15)
    to_gstin = fields.text("toGstin", 15)
    from_pin = fields.optional_whole("fromPincode", 100_000, 999_999)
    to_pin = fields.optional_whole("toPincode", 100_000, 999_999)
    for name in ("fromStateCode", "toStateCode"):
        fields.optional_whole(name, 1, 99)
    for name in ("totalValue", "totInvValue"):
        fields.optional_amount(name)
    if fields.has("itemList"):
        for item in fields.objects("itemList", _MOST_ITEMS):
            item.optional_whole("hsnCode", 1000, 99_999_999)
            item.optional_amount("taxableAmount")
    transporter = read_transporter(fields, "transporterId") if fields.has("transporterId") else ""
    distance = read_distance(fields, "transDistance", from_pin, to_pin)
    part_b = entered_part_b(fields, EWB_NAMES)

    for number, code in ((from_gstin, "208"), (to_gstin, "212")):
        if number != UNREGISTERED and not is_tax_number(number):
            raise ewb_refused(code)
    if supply == "O" and from_gstin != user_gstin:
        raise ewb_refused("359")
    if supply == "I" and to_gstin != user_gstin:
        raise ewb_refused("360")
    if day > today(utc(call.received_at)):
        raise ewb_refused("207")
    bill = eway_issue.issue(
        call,
        eway_issue.Document(from_gstin, document_type, document_no, financial_year(day)),
        dict(call.payload["body"]),
        distance=distance,
        transporter=transporter,
        part_b=part_b,
    )
    if bill is None:
        raise ewb_refused("604")
    return {
        "ewayBillNo": bill.number,
        "ewayBillDate": ewb_time(bill.created_at),
        "validUpto": _end(bill),
        "alert": "",
    }


def get(call: Call, user_gstin: str) -> JSONValue:
    """Return the e-way bill that ``ewbNo`` of the query names."""
    number = call.details["query"].get("ewbNo")
    if not number:
        raise invalid("query.ewbNo")
    bill = _find(call, number, unknown="325")
    record = record_of(bill)
    shown: dict[str, JSONValue] = {
        "ewbNo": bill.number,
        "ewayBillDate": ewb_time(bill.created_at),
        "genMode": "API",
        "userGstin": user_gstin,
    }
    shown |= {name: value for name, value in record["goods"].items() if name not in shown}
    shown |= {
        "transporterId": record["transporter"],
        "actualDist": record["distance"],
        "noValidDays": _days(bill),
        "validUpto": _end(bill),
        "extendedTimes": bill.extended_times,
        "status": bill.status,
        "VehiclListDetails": record["vehicles"],
    }
    return shown


def cancel(call: Call) -> JSONValue:
    """Cancel an e-way bill within 24 hours."""
    fields = Fields(call.payload["body"])
    reason = int(fields.choice("cancelRsnCode", "1", "2", "3", "4"))
    fields.optional_text("cancelRmrk", 50)
    bill = _find_active(call, fields)
    moment = utc(call.received_at)
    if moment - bill.created_at > CANCELLABLE:
        raise ewb_refused("315")
    bill.status, bill.cancelled_at, bill.cancel_reason = Status.CANCELLED, moment, reason
    bill.save(update_fields=["status", "cancelled_at", "cancel_reason"])
    return {"ewayBillNo": bill.number, "cancelDate": ewb_time(moment)}


def update_part_b(call: Call) -> JSONValue:
    """Enter or change the vehicle; the first one begins the validity."""
    fields = Fields(call.payload["body"])
    fields.optional_choice("reasonCode", "1", "2", "3", "4")
    fields.optional_text("reasonRem", 50)
    part_b = read_part_b(fields, EWB_NAMES)
    place, state = _from(fields)
    bill = _find_active(call, fields)
    moment = utc(call.received_at)
    if bill.valid_until is not None and moment > bill.valid_until:
        raise ewb_refused("311")
    record = record_of(bill)
    if bill.valid_until is None:
        record["oversize"] = part_b.oversize
        bill.valid_until = valid_until(moment, record["distance"], oversize=part_b.oversize)
    _enter(bill, record, part_b.entry(moment, place, state))
    return {"vehUpdDate": ewb_time(moment), "validUpto": _end(bill)}


def extend_validity(call: Call) -> JSONValue:
    """Extend the validity for the distance that remains, around its end."""
    fields = Fields(call.payload["body"])
    fields.optional_choice("extnRsnCode", "1", "2", "3", "4", "5", "99")
    fields.optional_text("extnRemarks", 50)
    remaining = fields.whole("remainingDistance", 1, FARTHEST)
    part_b = read_part_b(fields, EWB_NAMES)
    place, state = _from(fields)
    bill = _find(call, _number(fields), unknown="312", lock=True)
    if bill.status == Status.CANCELLED:
        raise ewb_refused("379")
    if bill.valid_until is None:
        raise ewb_refused("381")
    moment = utc(call.received_at)
    if abs(moment - bill.valid_until) > EXTENDABLE:
        raise ewb_refused("382")
    record = record_of(bill)
    if remaining > record["distance"]:
        raise ewb_refused("390")
    # The new days follow the old ones, or this day where those are over.
    start = max(moment, bill.valid_until)
    bill.valid_until = valid_until(start, remaining, oversize=record["oversize"])
    bill.extended_times += 1
    _enter(bill, record, part_b.entry(moment, place, state))
    return {
        "ewayBillNo": bill.number,
        "updatedDate": ewb_time(moment),
        "validUpto": _end(bill),
    }


def update_transporter(call: Call) -> JSONValue:
    """Hand the goods to another transporter, as long as none has entered a vehicle."""
    fields = Fields(call.payload["body"])
    transporter = read_transporter(fields, "transporterId")
    bill = _find_active(call, fields)
    moment = utc(call.received_at)
    if bill.valid_until is not None and moment > bill.valid_until:
        raise ewb_refused("281")
    record = record_of(bill)
    if record["transporter"] and record["vehicles"]:
        raise ewb_refused("338")
    seal_into(bill, {**record, "transporter": transporter})
    bill.save(update_fields=["record"])
    return {
        "ewayBillNo": bill.number,
        "transporterId": transporter,
        "transUpdateDate": ewb_time(moment),
    }


def _from(fields: Fields) -> tuple[str, int]:
    """Return place and state where the goods are now."""
    return fields.optional_text("fromPlace", 50), fields.optional_whole("fromState", 1, 99)


def _enter(bill: EwayBill, record: dict[str, Any], vehicle: dict[str, JSONValue]) -> None:
    """Put a vehicle at the head of the list and save."""
    seal_into(bill, {**record, "vehicles": [vehicle, *record["vehicles"]]})
    bill.save(update_fields=["record", "valid_until", "extended_times"])


def _find_active(call: Call, fields: Fields) -> EwayBill:
    """Return the e-way bill of the body, locked. Raises Refusal."""
    bill = _find(call, _number(fields), unknown="312", lock=True)
    if bill.status == Status.CANCELLED:
        raise ewb_refused("312")
    return bill


def _number(fields: Fields) -> str:
    """Return ``ewbNo``, written as a number or as text, as text."""
    return str(fields.whole("ewbNo", 0, 10**15))


def _find(call: Call, number: str, *, unknown: str, lock: bool = False) -> EwayBill:
    if not _NUMBER.fullmatch(number):
        raise ewb_refused("301")
    rows = EwayBill.objects.select_for_update() if lock else EwayBill.objects
    bill = rows.filter(flow_id=call.flow.id, number=int(number)).first()
    if bill is None:
        raise ewb_refused(unknown)
    return bill


def _end(bill: EwayBill) -> str | None:
    return ewb_time(bill.valid_until) if bill.valid_until else None


def _days(bill: EwayBill) -> int:
    if bill.valid_until is None:
        return 0
    return (today(bill.valid_until) - today(bill.created_at)) // timedelta(days=1)
