"""Every HTTP status of the two addresses: what it means, what raises it, what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from flows_endpoint.exchange import Reason, Refusal

OK: Final = 200
CANNOT_OPEN: Final = 421
INVALID_TOKEN: Final = 427
BAD_SIGNATURE: Final = 432
OWN_FAILURE: Final = 500


@dataclass(frozen=True, slots=True)
class Meaning:
    """One status for a developer's eyes: ``body``, ``cause`` and ``fix``."""

    body: str
    cause: str
    fix: str


#: The data endpoint. The first five are the contract's. The others stand before the contract:
#: the platform itself never meets them, a misdirected caller does.
MEANINGS: Final[Mapping[int, Meaning]] = {
    OK: Meaning("sealed", "The step was served.", "Open the body and show the screen."),
    CANNOT_OPEN: Meaning(
        "empty",
        "The body is not the envelope, the AES key is not for an accepted key of the flow, the tag "
        "does not fit, or what is inside is not a request.",
        "Fetch the public key anew and send once more; phones do so by themselves.",
    ),
    INVALID_TOKEN: Meaning(
        "`error_msg`, sealed or plain by the option `error_427_body`",
        "The service says that the flow token is no longer valid: the form is completed or closed.",
        "Nothing; the phone shows the message and disables the button of the flow.",
    ),
    BAD_SIGNATURE: Meaning(
        "empty",
        "X-Hub-Signature-256 is missing or wrong, or flow_token_signature is wrong, or missing "
        "where the flow requires it.",
        "Sign the raw bytes with the app secret of the Meta app, and import that secret here.",
    ),
    OWN_FAILURE: Meaning(
        "empty",
        "The service behind the gateway is down, slow, or answered with something no phone can "
        "show; or a key, the database or the code of the gateway failed; or the very same "
        "request, byte for byte, was answered before, and differently.",
        "Look up the X-Request-Id of the reply in the exchange log.",
    ),
    403: Meaning(
        "empty",
        "The flow has an allow-list of networks, and the caller is not in it.",
        "Leave the allow-list of a WhatsApp flow empty: the platform calls from many networks.",
    ),
    404: Meaning("empty", "No flow in service has this address.", "Check the URL."),
    405: Meaning("empty", "The method is not POST.", "Send POST."),
    413: Meaning("empty", "The body has more than 10 MiB.", "Send less."),
}

_STATUS: Final[Mapping[Reason, int]] = {
    Reason.METHOD: 405,
    Reason.SIZE: 413,
    Reason.MALFORMED: CANNOT_OPEN,
    Reason.UNKNOWN_FLOW: 404,
    Reason.SOURCE: 403,
    # The contract forbids 429, and nothing here limits rates: all users come from one caller.
    Reason.RATE: OWN_FAILURE,
    Reason.NOT_AUTHENTIC: BAD_SIGNATURE,
    Reason.CANNOT_OPEN: CANNOT_OPEN,
    # A request carries no time; only an own backend could raise this.
    Reason.STALE: OWN_FAILURE,
    # One AES key may not seal a second reply.
    Reason.REPLAYED: OWN_FAILURE,
    # The one rule of business that has a status goes out with a message, see is_token_refusal.
    Reason.BUSINESS: OWN_FAILURE,
    Reason.UPSTREAM_DOWN: OWN_FAILURE,
    Reason.UPSTREAM_SLOW: OWN_FAILURE,
    Reason.UPSTREAM_ANSWER: OWN_FAILURE,
    Reason.UNAVAILABLE: OWN_FAILURE,
    Reason.INTERNAL: OWN_FAILURE,
}

#: The webhook address: anything but 200 makes the platform deliver again later.
_WEBHOOK_STATUS: Final[Mapping[Reason, int]] = {
    Reason.METHOD: 405,
    Reason.SIZE: 413,
    Reason.MALFORMED: 400,
    Reason.UNKNOWN_FLOW: 404,
    Reason.SOURCE: 403,
    Reason.NOT_AUTHENTIC: 403,
}


def is_token_refusal(refusal: Refusal) -> bool:
    """Return whether a backend says that the flow token is no longer valid.

    It is the only code a backend can answer with; any other is our own failure.
    """
    return refusal.reason is Reason.BUSINESS and str(refusal.code) == str(INVALID_TOKEN)


def status_of(reason: Reason) -> int:
    """Return the status of the data endpoint for ``reason``."""
    return _STATUS[reason]


def webhook_status_of(reason: Reason) -> int:
    """Return the status of the webhook address for ``reason``."""
    return _WEBHOOK_STATUS.get(reason, OWN_FAILURE)
