"""How goods travel: Part B of an e-way bill (mode, vehicle, document) and distances."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from django.conf import settings

from crypto_schemes.json_text import JSONValue
from flows_endpoint.exchange import Refusal
from flows_endpoint.flynn.errors import ewb_refused
from flows_endpoint.flynn.fields import Fields
from flows_endpoint.flynn.sandbox.calendar import ewb_time

ROAD: Final = "1"
MODES: Final = (ROAD, "2", "3", "4")  # road, rail, air, ship
#: Longest distance in kilometres.
FARTHEST: Final = 4000
_VEHICLE: Final = re.compile(r"[A-Z]{2}[0-9A-Z]{1,9}[0-9]{1,4}")
_TRANSPORTER: Final = r"[0-9]{2}[0-9A-Z]{13}"


@dataclass(frozen=True, slots=True)
class Names:
    """How one of the portals spells the members."""

    mode: str = "transMode"
    vehicle: str = "vehicleNo"
    vehicle_type: str = "vehicleType"
    document_no: str = "transDocNo"
    document_day: str = "transDocDate"


EWB_NAMES: Final = Names()
#: As the e-way bill of an invoice spells them.
IRP_NAMES: Final = Names("TransMode", "VehNo", "VehType", "TransDocNo", "TransDocDt")


@dataclass(frozen=True, slots=True)
class PartB:
    """A vehicle or a transport document; ``repr`` shows nothing of it."""

    mode: str = field(repr=False)
    vehicle: str = field(repr=False)
    document_no: str = field(repr=False)
    document_day: str = field(repr=False)
    oversize: bool

    def entry(self, moment: datetime, from_place: str, from_state: int) -> dict[str, JSONValue]:
        """Return the line of the vehicle list."""
        return {
            "updMode": "API",
            "vehicleNo": self.vehicle,
            "fromPlace": from_place,
            "fromState": from_state,
            "enteredDate": ewb_time(moment),
            "transMode": self.mode,
            "transDocNo": self.document_no,
            "transDocDate": self.document_day,
        }


def entered_part_b(fields: Fields, names: Names) -> PartB | None:
    """Return Part B, or None when neither a vehicle nor a document is there.

    Raises Refusal as :func:`read_part_b`.
    """
    if fields.has(names.vehicle) or fields.has(names.document_no):
        return read_part_b(fields, names)
    return None


def read_part_b(fields: Fields, names: Names) -> PartB:
    """Return Part B: a vehicle, or a transport document where it is not by road.

    Raises Refusal: err-invalid-request-body, or the e-way bill portal's own errors.
    """
    mode = fields.choice(names.mode, *MODES) if fields.has(names.mode) else ROAD
    vehicle = fields.optional_text(names.vehicle, 15).replace(" ", "").upper()
    if vehicle and not _VEHICLE.fullmatch(vehicle):
        raise _wrong(fields, names, "225")
    document_no = fields.optional_text(names.document_no, 15)
    if not vehicle and (mode == ROAD or not document_no):
        raise _wrong(fields, names, "226")
    document_day = ""
    if fields.has(names.document_day):
        document_day = f"{fields.day(names.document_day):%d/%m/%Y}"
    oversize = fields.has(names.vehicle_type) and fields.choice(names.vehicle_type, "R", "O") == "O"
    return PartB(mode, vehicle, document_no, document_day, oversize)


def read_transporter(fields: Fields, name: str) -> str:
    """Return a transporter's 15 characters. Raises Refusal."""
    return fields.matching(name, _TRANSPORTER)


def read_distance(fields: Fields, name: str, from_pin: int, to_pin: int) -> int:
    """Return the distance in km; 0 asks the portal, which then knows one.

    The portal's own distance is simulated: the same postal codes and seed give the same.
    """
    distance = fields.whole(name, 0, FARTHEST)
    if distance:
        return distance
    if not from_pin or not to_pin:
        raise fields.refused(name)
    chance = hashlib.sha256(f"{settings.SANDBOX_SEED}|{from_pin}|{to_pin}".encode()).digest()
    return 1 + int.from_bytes(chance[:4], "big") % 900


def _wrong(fields: Fields, names: Names, code: str) -> Refusal:
    return ewb_refused(code) if names is EWB_NAMES else fields.refused(names.vehicle)
