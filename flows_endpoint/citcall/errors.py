"""The contract's reply codes, and which of them each kind of refusal is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from flows_endpoint.exchange import Reason, Refusal


class Rc(StrEnum):
    """``rc`` of a reply: two digits, sent as text."""

    SUCCESS = "00"
    FAILED = "06"
    INSUFFICIENT_AMOUNT = "14"
    UNAVAILABLE = "34"
    MAINTENANCE = "66"
    UNKNOWN_USERID = "77"
    MISSING_PARAMETER = "88"
    UNKNOWN_API_KEY = "96"
    NOT_AUTHORIZED = "98"
    WRONG_METHOD = "99"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code says: ``info`` on the wire, ``cause`` and ``fix`` for a partner's developer."""

    info: str
    cause: str
    fix: str


#: Every code. 14 and 66 are raised by no rule of ours; an upstream service or an own backend
#: answers with them.
MEANINGS: Final[Mapping[str, Meaning]] = {
    Rc.SUCCESS: Meaning("success", "The call is queued.", "Nothing; the callback follows."),
    Rc.FAILED: Meaning(
        "Unknown error",
        "gateway is not a whole number from 1 to 4, msisdn is no telephone number, "
        "clientUniqueId is not a short text, the body is too large, or the service failed.",
        "Check the three members; when they are right, try again later.",
    ),
    Rc.INSUFFICIENT_AMOUNT: Meaning(
        "Insufficient amount", "The account has no credit left.", "Ask the administrator."
    ),
    Rc.UNAVAILABLE: Meaning(
        "Service temporarily unavailable",
        "The service behind the gateway is down or slow, or the first request with the same "
        "clientUniqueId is still being served.",
        "Try again after some seconds.",
    ),
    Rc.MAINTENANCE: Meaning(
        "Maintenance in progress", "The service is being worked on.", "Try again later."
    ),
    Rc.UNKNOWN_USERID: Meaning(
        "Userid not found",
        "No flow in service has the userid in the Authorization header.",
        "Check the userid, upper and lower case included.",
    ),
    Rc.MISSING_PARAMETER: Meaning(
        "Missing parameter",
        'The body is not application/json of the form {"data": "…"}, or msisdn or gateway is '
        "missing inside.",
        "Send both members, sealed, in data.",
    ),
    Rc.UNKNOWN_API_KEY: Meaning(
        "Apikey not found or non active",
        "The API key in the Authorization header is not one of those in force.",
        "Use the newest key; an older one ends when its overlap is over.",
    ),
    Rc.NOT_AUTHORIZED: Meaning(
        "Authorization failed",
        "The Authorization header is missing or unreadable, the data does not open, its time lies "
        "outside the window, the same data was sent before (with a `clientUniqueId` it gets the "
        "first reply instead), the caller's address is not allowed, "
        "or it sent too many wrong API keys within a minute.",
        "Check header, cipher and clock; seal every request anew.",
    ),
    Rc.WRONG_METHOD: Meaning("Wrong method", "The method is not POST.", "Send POST."),
}

#: Everything that fails between the header and the opened request gets one reply.
_RC_OF_REASON: Final[Mapping[Reason, Rc]] = {
    Reason.METHOD: Rc.WRONG_METHOD,
    Reason.SIZE: Rc.FAILED,
    Reason.MALFORMED: Rc.MISSING_PARAMETER,
    Reason.UNKNOWN_FLOW: Rc.UNKNOWN_USERID,
    Reason.SOURCE: Rc.NOT_AUTHORIZED,
    Reason.RATE: Rc.NOT_AUTHORIZED,
    Reason.NOT_AUTHENTIC: Rc.NOT_AUTHORIZED,
    Reason.CANNOT_OPEN: Rc.NOT_AUTHORIZED,
    Reason.STALE: Rc.NOT_AUTHORIZED,
    Reason.REPLAYED: Rc.NOT_AUTHORIZED,
    Reason.BUSINESS: Rc.FAILED,
    Reason.UPSTREAM_DOWN: Rc.UNAVAILABLE,
    Reason.UPSTREAM_SLOW: Rc.UNAVAILABLE,
    Reason.UPSTREAM_ANSWER: Rc.FAILED,
    Reason.UNAVAILABLE: Rc.UNAVAILABLE,
    Reason.INTERNAL: Rc.FAILED,
}
#: Which half of the header was wrong is told, as the contract has a code for each.
_RC_OF_STEP: Final[Mapping[str, Rc]] = {
    "unknown_userid": Rc.UNKNOWN_USERID,
    "unknown_api_key": Rc.UNKNOWN_API_KEY,
}
_TWO_DIGITS = re.compile(r"[0-9]{2}")
#: Longest ``info`` taken over from a backend, in characters.
_LONGEST_INFO: Final = 200


def is_rc(value: object) -> bool:
    """Return whether ``value`` has the form of a code, known here or not."""
    return isinstance(value, str) and _TWO_DIGITS.fullmatch(value) is not None


def failure_of(refusal: Refusal) -> tuple[str, str]:
    """Return ``rc`` and ``info`` of the reply to ``refusal``.

    A backend's own code and text (the refusal's ``code`` and ``extra``) are taken over when
    they have the contract's form; never a success.
    """
    rc: str = _RC_OF_REASON[refusal.reason]
    if refusal.reason in {Reason.UNKNOWN_FLOW, Reason.NOT_AUTHENTIC}:
        rc = _RC_OF_STEP.get(refusal.step, rc)
    if refusal.reason is Reason.BUSINESS and refusal.code != Rc.SUCCESS and is_rc(refusal.code):
        rc = str(refusal.code)
        if isinstance(refusal.extra, str) and refusal.extra:
            return rc, refusal.extra[:_LONGEST_INFO]
    return rc, MEANINGS.get(rc, MEANINGS[Rc.FAILED]).info
