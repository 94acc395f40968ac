"""What an opened request asks for: the call to place, checked and normalised."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from crypto_schemes.json_text import JSONValue
from flows_endpoint.citcall.errors import Rc
from flows_endpoint.exchange import Reason, Refusal

GATEWAYS: Final = range(1, 5)
#: Longest ``clientUniqueId``, in characters.
LONGEST_UNIQUE_ID: Final = 255
#: Longest ``msisdn`` as sent: 17 digits with blanks, dots and brackets between them.
_LONGEST_MSISDN: Final = 64
_NOT_A_DIGIT = re.compile(r"[^0-9]+")
_INDONESIAN = re.compile(r"62[0-9]{9,12}")
_FOREIGN = re.compile(r"(?!62)[1-9][0-9]{9,16}")


@dataclass(frozen=True, slots=True)
class Order:
    """One call to place. ``msisdn`` is ``+`` and digits; ``repr`` shows no personal data.

    ``is_repeated``: its cipher text was seen before, so no call is placed for it.
    """

    msisdn: str = field(repr=False)
    gateway: int
    client_unique_id: str | None = field(repr=False)
    is_repeated: bool = field(default=False, repr=False)


def read_order(payload: JSONValue) -> Order:
    """Return the order in an opened request.

    Raises Refusal (business) with rc 88 when ``msisdn`` or ``gateway`` is missing, null or
    empty, and rc 06 when a member is of the wrong form. Unknown members are ignored.
    """
    members = payload if isinstance(payload, dict) else {}
    msisdn, gateway = members.get("msisdn"), members.get("gateway")
    for name, value in (("msisdn", msisdn), ("gateway", gateway)):
        if value in (None, ""):
            raise Refusal(Reason.BUSINESS, Rc.MISSING_PARAMETER, step=name)
    # The exact type: true is an int in Python, and 1.0 equals 1.
    if type(gateway) is not int or gateway not in GATEWAYS:
        raise Refusal(Reason.BUSINESS, Rc.FAILED, step="gateway")
    return Order(
        msisdn=_normalised(msisdn),
        gateway=gateway,
        client_unique_id=_unique_id(members.get("clientUniqueId")),
    )


def _normalised(msisdn: object) -> str:
    if not isinstance(msisdn, str) or len(msisdn) > _LONGEST_MSISDN:
        raise Refusal(Reason.BUSINESS, Rc.FAILED, step="msisdn")
    digits = _NOT_A_DIGIT.sub("", msisdn)
    if digits.startswith("0"):
        digits = "62" + digits[1:]
    if not (_INDONESIAN.fullmatch(digits) or _FOREIGN.fullmatch(digits)):
        raise Refusal(Reason.BUSINESS, Rc.FAILED, step="msisdn")
    return "+" + digits


def _unique_id(value: object) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > LONGEST_UNIQUE_ID or not value.isprintable():
        raise Refusal(Reason.BUSINESS, Rc.FAILED, step="clientUniqueId")
    return value
