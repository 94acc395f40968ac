"""The 22 answers of Kairos: codes, messages, and what each is about.

A reply carries ``api-response-code`` (a number) and ``api-response-message``; the message is
the contract's, always the same for a code. Codes marked *reserved* are never raised by a rule
of the gateway: they belong to what stands behind it, and pass when an upstream answers them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from crypto_schemes.json_text import JSONValue
from flows_endpoint.exchange import Reason


class Code(IntEnum):
    """``api-response-code``, under the contract's status names."""

    SUCCESS = 200
    CHECKSUM_REPEATED = 201
    INVALID_SECURITY_ID = 202
    API_VERSION_NOT_SUPPORTED = 203
    INVALID_SMS_GATEWAY = 204
    INVALID_CONTACT_NUMBER = 205
    FAILURE_FROM_GATEWAY = 206
    DID_NOT_MAPPED = 207
    NO_MASK_AVAILABLE = 208
    PARTIAL_SUCCESS = 209
    INVALID_MANDATORY_PARAMETERS = 210
    VALIDITY_EXPIRED = 211
    INSUFFICIENT_BALANCE = 212
    NO_DATA_AVAILABLE = 213
    INVALID_FLOW_ID = 301
    EMPTY_CALL_LIST = 302
    MAX_DATA_LIST_SIZE_EXCEEDED = 303
    INVALID_FLOW_VERSION = 304
    INVALID_FORMAT = 400
    IP_NOT_WHITELISTED = 401
    PHONE_NOT_WHITELISTED = 402
    FAILURE = 500


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a code says (``message``, on the wire), why it comes and what helps.

    ``reserved`` codes come from an upstream only.
    """

    message: str
    cause: str
    fix: str
    reserved: bool = False


_UPSTREAM: Final = "Answered by the service behind the gateway."

MEANINGS: Final[dict[Code, Meaning]] = {
    Code.SUCCESS: Meaning("Success", "Everything was accepted.", "Nothing to do."),
    Code.CHECKSUM_REPEATED: Meaning(
        "Checksum Repeated",
        "A payload identical to this one, byte for byte, was accepted within the flow's window.",
        "It is in hand already: do not send it again. To call again, change a client-identifier "
        "or a start-time.",
    ),
    Code.INVALID_SECURITY_ID: Meaning(
        "Invalid Security ID",
        "security-id is missing, wrong, or no longer accepted; or an encrypted request went to an "
        "address for unencrypted ones.",
        "Send the 64 hex digits that were issued with the flow-id, and encrypted requests to enc/.",
    ),
    Code.API_VERSION_NOT_SUPPORTED: Meaning(
        "API Version not Supported",
        'api-version is not the text "1.0" or "TEST".',
        'Send "api-version":"1.0".',
    ),
    Code.INVALID_SMS_GATEWAY: Meaning(
        "Invalid SMS Gateway", _UPSTREAM, "Ask the operator.", reserved=True
    ),
    Code.INVALID_CONTACT_NUMBER: Meaning(
        "Invalid Contact Number",
        "No call of the list has a number that could be dialled.",
        "Send numbers as text: 6 to 15 digits, country code first, a leading + if you like.",
    ),
    Code.FAILURE_FROM_GATEWAY: Meaning(
        "Failure from Gateway",
        "The service behind the gateway is down, too slow, or gave no readable answer. The gateway "
        "has accepted nothing, but a slow service may have done the work.",
        "Ask for the status if you can; else send the same request again later: it is passed on "
        "once more.",
    ),
    Code.DID_NOT_MAPPED: Meaning("DID Not Mapped", _UPSTREAM, "Ask the operator.", reserved=True),
    Code.NO_MASK_AVAILABLE: Meaning(
        "No Mask Available", _UPSTREAM, "Ask the operator.", reserved=True
    ),
    Code.PARTIAL_SUCCESS: Meaning(
        "Partial Success",
        "Some calls were accepted: those in call-details. The others have no valid number.",
        "Correct the numbers of the calls that are missing and send those again.",
    ),
    Code.INVALID_MANDATORY_PARAMETERS: Meaning(
        "Invalid Mandatory Parameters",
        "A member that must be there is missing, of the wrong type or not readable.",
        "Check client-identifier, start-time (ISO 8601 with an offset), contact-numbers and keys "
        "of every call; of a pull, that fetch-attempt is ALL or LAST.",
    ),
    Code.VALIDITY_EXPIRED: Meaning(
        "Validity Expired", "The flow's last day has passed.", "Ask the operator to extend it."
    ),
    Code.INSUFFICIENT_BALANCE: Meaning(
        "Insufficient Balance",
        "The list holds more calls than the flow has left.",
        "Send fewer calls, or ask the operator to raise the balance.",
    ),
    Code.NO_DATA_AVAILABLE: Meaning(
        "No Data Available",
        "None of the phonon-uuids is a call of this flow.",
        "Check the ids; they stand in call-details of the reply to create.",
    ),
    Code.INVALID_FLOW_ID: Meaning(
        "Invalid Flow ID",
        "flow-id is missing, unknown or switched off, or the one inside the encrypted request is "
        "not the one outside.",
        "Send the same flow-id in both places, exactly as issued.",
    ),
    Code.EMPTY_CALL_LIST: Meaning(
        "Empty Call List", "calls (or phonon-uuids) is missing or empty.", "Send at least one."
    ),
    Code.MAX_DATA_LIST_SIZE_EXCEEDED: Meaning(
        "Max Data List Size Exceeded",
        "More than 500 calls, or more than 200 phonon-uuids. Nothing was done.",
        "Split the list.",
    ),
    Code.INVALID_FLOW_VERSION: Meaning(
        "Invalid Flow Version", _UPSTREAM, "Ask the operator.", reserved=True
    ),
    Code.INVALID_FORMAT: Meaning(
        "Invalid Format",
        "The body is not strict JSON (a trailing comma, a member twice), is above 256 KB, comes as "
        "something else than JSON or plain text, or cannot be opened.",
        "Check the JSON first, then each step of the encryption against the demo request or the "
        "encrypt helper; the section before this one says how to find the step.",
    ),
    Code.IP_NOT_WHITELISTED: Meaning(
        "IP Not Whitelisted",
        "The call comes from an address outside the flow's allow-list, or the address called is "
        "switched off for the flow (unencrypted requests, encrypt helper, key generation).",
        "Tell the operator your source addresses, or ask to have the address switched on.",
    ),
    Code.PHONE_NOT_WHITELISTED: Meaning(
        "Phone Not Whitelisted",
        "api-version TEST, and a number that is not on the flow's list of test numbers.",
        "Use numbers of that list, or have yours added.",
    ),
    Code.FAILURE: Meaning(
        "Failure",
        "The gateway itself could not do it. Nothing was accepted.",
        "Send the same request again; if it stays, tell the operator the X-Request-Id.",
    ),
}

#: Answers that mean: calls were accepted.
ACCEPTING: Final = frozenset({Code.SUCCESS, Code.PARTIAL_SUCCESS})

#: The code of a refusal that no rule gave one.
CODE_OF: Final[dict[Reason, Code]] = {
    Reason.METHOD: Code.INVALID_FORMAT,
    Reason.SIZE: Code.INVALID_FORMAT,
    Reason.MALFORMED: Code.INVALID_FORMAT,
    Reason.UNKNOWN_FLOW: Code.INVALID_FLOW_ID,
    Reason.SOURCE: Code.IP_NOT_WHITELISTED,
    Reason.RATE: Code.FAILURE,
    Reason.NOT_AUTHENTIC: Code.INVALID_SECURITY_ID,
    Reason.CANNOT_OPEN: Code.INVALID_FORMAT,
    Reason.STALE: Code.INVALID_FORMAT,
    Reason.REPLAYED: Code.CHECKSUM_REPEATED,
    Reason.BUSINESS: Code.FAILURE,
    Reason.UPSTREAM_DOWN: Code.FAILURE_FROM_GATEWAY,
    Reason.UPSTREAM_SLOW: Code.FAILURE_FROM_GATEWAY,
    Reason.UPSTREAM_ANSWER: Code.FAILURE_FROM_GATEWAY,
    Reason.UNAVAILABLE: Code.FAILURE,
    Reason.INTERNAL: Code.FAILURE,
}

_CODES: Final = frozenset(int(code) for code in Code)
_MIRRORED: Final = frozenset(
    {Code.INVALID_FORMAT, Code.IP_NOT_WHITELISTED, Code.PHONE_NOT_WHITELISTED, Code.FAILURE}
)


def known(code: object) -> Code | None:
    """Return the code that a number or its text stands for, None for what is not in the table."""
    if isinstance(code, str) and len(code) == 3 and code.isascii() and code.isdecimal():
        code = int(code)
    if isinstance(code, int) and not isinstance(code, bool) and code in _CODES:
        return Code(code)
    return None


def head(code: Code) -> dict[str, JSONValue]:
    """Return the two members every reply begins with; an error reply has no others."""
    return {
        "api-response-code": int(code),
        "api-response-message": MEANINGS[code].message,
    }


def http_status(code: Code, *, mirror: bool) -> int:
    """Return the HTTP status of a reply: 200, or the code itself where mirrored."""
    return int(code) if mirror and code in _MIRRORED else 200
