"""The complete error table of Flynn, and which entry each refusal is.

An error is ``{"message", "type", "args"}``; the message is a stable code, not a sentence.
Errors of the tax portals are one entry each (``err-irp-returned-error``,
``err-ewb-returned-error``) whose args list the portal's own numbered errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from crypto_schemes.json_text import JSONValue
from flows_endpoint.exchange import Reason, Refusal


class Err(StrEnum):
    """``message`` of an error. The second group is ours, where the contract is silent."""

    INVALID_ORG = "err-invalid-org"
    EXPIRED_TOKEN = "err-expired-token"
    INVALID_TOKEN = "err-invalid-token"
    TOO_MANY_SESSIONS = "err-active-tokens-limit-exceeded"
    REK = "err-unable-to-decrypt-message-with-key"
    SENSITIVE_VALUE = "err-aes-decryption-failed"
    EMPTY_PASSWORD = "err-unable-to-authenticate-with-empty-password"
    IRP = "err-irp-returned-error"
    EWB = "err-ewb-returned-error"
    INVALID_BODY = "err-invalid-request-body"
    NOT_FOUND = "err-resource-not-found"

    INVALID_CREDENTIALS = "err-invalid-credentials"
    SOURCE = "err-source-not-allowed"
    METHOD = "err-method-not-allowed"
    RATE = "err-too-many-requests"
    UNAVAILABLE = "err-service-unavailable"
    INTERNAL = "err-internal-error"


@dataclass(frozen=True, slots=True)
class Meaning:
    """One entry: HTTP status and type on the wire; cause and fix for a partner's developer."""

    status: int
    type: str
    cause: str
    fix: str


MEANINGS: Final[Mapping[Err, Meaning]] = {
    Err.INVALID_ORG: Meaning(
        403,
        "Authorization",
        "X-FLYNN-N-ORG-ID is missing, unknown or switched off, or is not an organisation of the "
        "token's user.",
        "Send the org_id you were given; it is in associatedOrgs of the log-in too.",
    ),
    Err.EXPIRED_TOKEN: Meaning(
        403,
        "Authorization",
        "The token's time is over.",
        "Log in again; next time renew the token before it ends.",
    ),
    Err.INVALID_TOKEN: Meaning(
        403,
        "Authorization",
        "X-FLYNN-N-USER-TOKEN is missing or not a token of ours, its session was ended by a "
        "log-out, or too many requests of the session did not open.",
        "Send the token bare, without the word Bearer. Log in again.",
    ),
    Err.TOO_MANY_SESSIONS: Meaning(
        401,
        "Authorization",
        "The user has as many live sessions as allowed (10 unless agreed otherwise).",
        "Use one token for all calls and log out of sessions that are not needed.",
    ),
    Err.REK: Meaning(
        500,
        "Runtime",
        "X-FLYNN-S-REK does not open, or something is encrypted and there is no REK.",
        "Wrap the REK's hex text (32, 48 or 64 digits) with the current public key, PKCS#1 v1.5.",
    ),
    Err.SENSITIVE_VALUE: Meaning(
        500,
        "Runtime",
        "An X-FLYNN-S-* header does not open under the REK, or CBC was announced without "
        "X-FLYNN-S-IV.",
        "Check key, mode, PKCS#7 padding and base64; the IV is not in front of the value, it "
        "travels in its own header, wrapped like the REK.",
    ),
    Err.EMPTY_PASSWORD: Meaning(
        401,
        "ClientRequest",
        "The call has no portal password and there is no portal session (6 hours after a call "
        "with the right one).",
        "Send X-FLYNN-S-IRP-PWD or X-FLYNN-S-EWB-PWD.",
    ),
    Err.IRP: Meaning(
        502,
        "Irp",
        "The e-invoice portal refused; args.details lists its own errors.",
        "See the portal errors below.",
    ),
    Err.EWB: Meaning(
        502,
        "Ewb",
        "The e-way bill portal refused; args.details and args.error-codes list its own errors.",
        "See the portal errors below.",
    ),
    Err.INVALID_BODY: Meaning(
        400,
        "ClientRequest",
        "Something is missing, not of its form or not JSON; args.errorLocation names it.",
        "Correct what args.errorLocation names. 413 instead of 400 means: too large.",
    ),
    Err.NOT_FOUND: Meaning(
        404, "ResourceNotFound", "There is nothing at this address.", "Check path and version."
    ),
    Err.INVALID_CREDENTIALS: Meaning(
        401,
        "Authorization",
        "Handle or password is wrong.",
        "Check both; after some wrong attempts wait a quarter of an hour.",
    ),
    Err.SOURCE: Meaning(
        403,
        "Authorization",
        "The call comes from an address outside the allow-list.",
        "Tell the operator your source addresses.",
    ),
    Err.METHOD: Meaning(
        405,
        "ClientRequest",
        "The address does not take this method; Allow names those it takes.",
        "Use one of them.",
    ),
    Err.RATE: Meaning(
        429, "ClientRequest", "Too many failed log-ins.", "Wait a quarter of an hour."
    ),
    Err.UNAVAILABLE: Meaning(
        503,
        "Runtime",
        "Something the gateway needs is not there now. Nothing was done.",
        "Send the same request again later.",
    ),
    Err.INTERNAL: Meaning(
        500,
        "Runtime",
        "The gateway itself failed. Nothing was done.",
        "Try again; if it stays, tell the operator the X-Request-Id.",
    ),
}

#: The portals' own errors, as the sandbox raises them.
IRP_ERRORS: Final[Mapping[str, str]] = {
    "1008": "The portal credentials (GSTIN, user name, password) are not valid.",
    "2143": "The document's supplier is not the GSTIN of the request.",
    "2148": "There is no such IRN.",
    "2150": "This document is registered already: duplicate IRN.",
    "2163": "The document date lies in the future.",
    "2182": "The taxable values of the items do not add up to AssVal.",
    "2189": "The values of the items do not add up to TotInvVal.",
    "2211": "Supplier and recipient are the same GSTIN.",
    "2230": "There is an active e-way bill for this IRN; cancel that first.",
    "2270": "More than 24 hours have passed: the IRN can no longer be cancelled.",
    "3028": "A Gstin has not the form of one.",
    "4002": "There is an e-way bill for this IRN already.",
    "9999": "The IRN is cancelled.",
}
EWB_ERRORS: Final[Mapping[str, str]] = {
    "108": "The portal credentials (GSTIN, user name, password) are not valid.",
    "207": "The document date lies in the future.",
    "208": "fromGstin has not the form of a tax number.",
    "212": "toGstin has not the form of a tax number.",
    "225": "vehicleNo is not of the form of a vehicle number.",
    "226": "Neither vehicleNo nor transDocNo is there.",
    "281": "The e-way bill has expired: the transporter can no longer be changed.",
    "301": "ewbNo is not a number of 12 digits.",
    "311": "The e-way bill has expired: the vehicle can no longer be changed.",
    "312": "There is no such e-way bill of yours, or it is cancelled.",
    "315": "More than 24 hours have passed: the e-way bill can no longer be cancelled.",
    "325": "There is no such e-way bill of yours.",
    "338": "The transporter has entered Part B: the transporter can no longer be changed.",
    "359": "For outward supply fromGstin must be the GSTIN of the request.",
    "360": "For inward supply toGstin must be the GSTIN of the request.",
    "379": "The e-way bill is cancelled: it cannot be extended.",
    "381": "There is no Part B: enter vehicle or transport document first.",
    "382": "An e-way bill can be extended from 8 hours before to 8 hours after its end.",
    "390": "remainingDistance is more than the distance of the e-way bill.",
    "604": "There is an active e-way bill for this document already.",
}

#: The entry of a refusal that names none itself. STALE and REPLAYED are raised by no rule of
#: this contract: a REK may be used again and nothing is dated by the sender.
_OF_REASON: Final[Mapping[Reason, Err]] = {
    Reason.METHOD: Err.METHOD,
    Reason.SIZE: Err.INVALID_BODY,
    Reason.MALFORMED: Err.INVALID_BODY,
    Reason.UNKNOWN_FLOW: Err.INVALID_ORG,
    Reason.SOURCE: Err.SOURCE,
    Reason.RATE: Err.RATE,
    Reason.NOT_AUTHENTIC: Err.INVALID_TOKEN,
    Reason.CANNOT_OPEN: Err.REK,
    Reason.STALE: Err.INTERNAL,
    Reason.REPLAYED: Err.INTERNAL,
    Reason.BUSINESS: Err.INTERNAL,
    Reason.UPSTREAM_DOWN: Err.UNAVAILABLE,
    Reason.UPSTREAM_SLOW: Err.UNAVAILABLE,
    Reason.UPSTREAM_ANSWER: Err.UNAVAILABLE,
    Reason.UNAVAILABLE: Err.UNAVAILABLE,
    Reason.INTERNAL: Err.INTERNAL,
}
#: What a portal that cannot be asked says in its place.
_UPSTREAM: Final[Mapping[Reason, tuple[str, str]]] = {
    Reason.UPSTREAM_DOWN: ("GW-DOWN", "The service behind the gateway cannot be reached."),
    Reason.UPSTREAM_SLOW: ("GW-SLOW", "The service behind the gateway did not answer in time."),
    Reason.UPSTREAM_ANSWER: ("GW-ANSWER", "The service behind the gateway gave no valid answer."),
}
#: Where it is wrong, for refusals of the outer form.
_LOCATIONS: Final[Mapping[str, str]] = {
    "mode": "headers.X-FLYNN-N-AES-ENCRYPTION-MODE",
    "header": "headers",
}
_OF_AUTHENTICATION: Final[Mapping[str, Err]] = {
    "org": Err.INVALID_ORG,
    "token_expired": Err.EXPIRED_TOKEN,
}


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as it goes out, but for its envelope."""

    err: Err
    status: int
    args: Mapping[str, JSONValue]

    @property
    def value(self) -> dict[str, JSONValue]:
        """Return ``{"message", "type", "args"}``."""
        return {
            "message": self.err.value,
            "type": MEANINGS[self.err].type,
            "args": dict(self.args),
        }


def failure_of(refusal: Refusal, portal: Err | None) -> Failure:
    """Return the error of ``refusal``; ``portal`` is IRP or EWB where one would be asked."""
    reason = refusal.reason
    args: Mapping[str, JSONValue] = {}
    if refusal.code in Err.__members__.values():
        err = Err(str(refusal.code))
        args = refusal.extra if isinstance(refusal.extra, dict) else _usual_args(err)
    elif reason in _UPSTREAM and portal is not None:
        err = portal
        code, text = _UPSTREAM[reason]
        args = portal_args(portal, code, text)
    elif reason is Reason.NOT_AUTHENTIC:
        err = _OF_AUTHENTICATION.get(refusal.step, Err.INVALID_TOKEN)
    else:
        err = _OF_REASON[reason]
        if err is Err.INVALID_BODY:
            args = {"errorLocation": _LOCATIONS.get(refusal.step, "body")}
    status = 413 if reason is Reason.SIZE else MEANINGS[err].status
    return Failure(err, status, args)


def portal_args(portal: Err, code: str, text: str) -> dict[str, JSONValue]:
    """Return the args of a portal's error."""
    args: dict[str, JSONValue] = {"details": [{"ErrorCode": code, "ErrorMessage": text}]}
    if portal is Err.EWB:
        args["error-codes"] = [int(code)] if code.isdecimal() else []
    return args


def irp_refused(code: str) -> Refusal:
    """Return the refusal of the e-invoice portal with one of its errors."""
    return _portal_refused(Err.IRP, code, IRP_ERRORS[code])


def ewb_refused(code: str) -> Refusal:
    """Return the refusal of the e-way bill portal with one of its errors."""
    return _portal_refused(Err.EWB, code, EWB_ERRORS[code])


def invalid(location: str) -> Refusal:
    """Return the refusal of a request that is wrong at ``location`` (``body.DocDtls.No``)."""
    return Refusal(
        Reason.BUSINESS, Err.INVALID_BODY, step=location, extra={"errorLocation": location}
    )


def _portal_refused(portal: Err, code: str, text: str) -> Refusal:
    return Refusal(Reason.BUSINESS, portal, step=code, extra=portal_args(portal, code, text))


def _usual_args(err: Err) -> Mapping[str, JSONValue]:
    return {"details": {"type": "Runtime"}} if err is Err.SENSITIVE_VALUE else {}
