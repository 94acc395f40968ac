"""The complete error table of ISU: plain JSON, never sealed.

The first eight rows are the contract's; the others, where it is silent, are ours in its form.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from crypto_schemes import json_text
from crypto_schemes.isu.scheme import INVALID_REQUEST
from flows_endpoint.exchange import HttpReply, Reason


class IsuError(Enum):
    """One plain error reply: HTTP status, ``status`` and ``statusDesc``.

    ``status`` is None for the one that has the form of a reply instead.
    """

    PASS_KEY_MISSING = (401, -1, "Pass_key header is missing")
    INVALID_PASS_KEY = (401, 0, "Invalid pass_key")
    HEADER_SECRETS_MISSING = (401, -1, "Header Secrets is missing")
    HEADER_SECRETS_EMPTY = (401, -1, "Header Secrets value is empty")
    EPOCH_EXCEEDED = (401, -1, "Epoch Time Limit Exceeded")
    #: All that does not open, a wrong id or secret, and a header seen before: one reply.
    INVALID_HEADER_SECRETS = (401, -1, "Invalid header secrets")
    INVALID_REQUEST_DATA = (400, -1, "Invalid RequestData")
    SOURCE_NOT_ALLOWED = (403, -1, "Ip validation Failed")
    METHOD_NOT_ALLOWED = (405, None, INVALID_REQUEST)
    #: The flow serves no product at this path.
    PATH_NOT_SERVED = (404, None, INVALID_REQUEST)
    #: Reserved for a backend of your own that limits its callers.
    TOO_MANY_REQUESTS = (429, -1, "Too many requests")
    INTERNAL_FAILURE = (500, -1, "Internal failure")
    BAD_UPSTREAM_ANSWER = (502, -1, "Service gave no valid answer")
    SERVICE_UNAVAILABLE = (503, -1, "Service is unavailable")
    SERVICE_TIMED_OUT = (504, -1, "Service did not answer in time")

    def __init__(self, http: int, status: int | None, text: str) -> None:
        self.http = http
        self.status = status
        self.text = text

    @property
    def reply(self) -> HttpReply:
        """Return the reply as it goes out."""
        body: dict[str, int | str] = (
            {"ResponseData": self.text}
            if self.status is None
            else {"status": self.status, "statusDesc": self.text}
        )
        headers = {"Allow": "POST"} if self is IsuError.METHOD_NOT_ALLOWED else {}
        return HttpReply(
            status=self.http, body=json_text.compact(body), headers=headers, code=self.name
        )


#: What answers a refusal that names no entry itself.
OF_REASON: Mapping[Reason, IsuError] = {
    Reason.METHOD: IsuError.METHOD_NOT_ALLOWED,
    Reason.SIZE: IsuError.INVALID_REQUEST_DATA,
    Reason.MALFORMED: IsuError.INVALID_REQUEST_DATA,
    Reason.UNKNOWN_FLOW: IsuError.INVALID_PASS_KEY,
    Reason.SOURCE: IsuError.SOURCE_NOT_ALLOWED,
    Reason.RATE: IsuError.TOO_MANY_REQUESTS,
    Reason.NOT_AUTHENTIC: IsuError.INVALID_HEADER_SECRETS,
    Reason.CANNOT_OPEN: IsuError.INVALID_HEADER_SECRETS,
    Reason.STALE: IsuError.EPOCH_EXCEEDED,
    Reason.REPLAYED: IsuError.INVALID_HEADER_SECRETS,
    Reason.BUSINESS: IsuError.INTERNAL_FAILURE,
    Reason.UPSTREAM_DOWN: IsuError.SERVICE_UNAVAILABLE,
    Reason.UPSTREAM_SLOW: IsuError.SERVICE_TIMED_OUT,
    Reason.UPSTREAM_ANSWER: IsuError.BAD_UPSTREAM_ANSWER,
    Reason.UNAVAILABLE: IsuError.SERVICE_UNAVAILABLE,
    Reason.INTERNAL: IsuError.INTERNAL_FAILURE,
}
#: Codes of crypto_schemes that have an entry of their own.
OF_CODE: Mapping[str, IsuError] = {
    "pass_key_missing": IsuError.PASS_KEY_MISSING,
    "pass_key_invalid": IsuError.INVALID_PASS_KEY,
    "header_secrets_missing": IsuError.HEADER_SECRETS_MISSING,
    "header_secrets_empty": IsuError.HEADER_SECRETS_EMPTY,
}

#: What brings each error about, and what a partner does then.
MEANINGS: Mapping[IsuError, tuple[str, str]] = {
    IsuError.PASS_KEY_MISSING: (
        "No header `pass_key`.",
        "Send it. Check that no proxy of yours drops names with underscores.",
    ),
    IsuError.INVALID_PASS_KEY: (
        "No flow has this pass key, or the header came twice.",
        "Check for blanks and letter case; ask whether it was revoked.",
    ),
    IsuError.HEADER_SECRETS_MISSING: ("No header `header_secrets`.", "Send it with each call."),
    IsuError.HEADER_SECRETS_EMPTY: (
        "The header is there and empty.",
        "Look for a variable that was never set.",
    ),
    IsuError.EPOCH_EXCEEDED: (
        "It opens, but `epoch` is further from our clock than the window allows.",
        "Encrypt it anew for each call; run NTP; send UTC, not local time.",
    ),
    IsuError.INVALID_HEADER_SECRETS: (
        "It does not open, id or secret are wrong, or it was used before. Never said which.",
        "Reproduce the example above with the demo keys, then exchange them for yours; "
        "the next section says how to find the step.",
    ),
    IsuError.INVALID_REQUEST_DATA: (
        "The body is no JSON object with `RequestData`, that does not open, it is larger than "
        "256 KiB, or the content type is not `application/json`.",
        "Seal it like the header; check which key the body needs.",
    ),
    IsuError.SOURCE_NOT_ALLOWED: (
        "Your address is not on the flow's list.",
        "Tell us the addresses you call from.",
    ),
    IsuError.METHOD_NOT_ALLOWED: ("The method is not POST.", "Send POST."),
    IsuError.PATH_NOT_SERVED: (
        "Your flow has no product at this path.",
        "Check the path; it may differ from the default.",
    ),
    IsuError.TOO_MANY_REQUESTS: (
        "The service behind limits its callers (never the sandbox).",
        "Wait, then call again.",
    ),
    IsuError.INTERNAL_FAILURE: (
        "Something of ours broke; nothing was done.",
        "Tell us the `X-Request-Id` of the reply.",
    ),
    IsuError.BAD_UPSTREAM_ANSWER: (
        "The service behind did not answer as it should.",
        "Ask with the status check before you send a payout again.",
    ),
    IsuError.SERVICE_UNAVAILABLE: (
        "The service behind, or something it needs, is down.",
        "Ask with the status check before you send a payout again.",
    ),
    IsuError.SERVICE_TIMED_OUT: (
        "The service behind took too long; what became of the request is unknown.",
        "Ask with the status check before you send a payout again.",
    ),
}
