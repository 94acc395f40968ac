"""What a refusal of the Cloud API means for the message that was refused.

``error.code`` decides, not the HTTP status: the platform answers the same status for what passes
and for what never will. A code that is not known is judged by the status.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Disposition(StrEnum):
    """What to do about a refusal."""

    BACK_OFF = "back_off"  # try again along the schedule
    PAIR_LIMIT = "pair_limit"  # too many messages to this user: wait 4^n seconds
    NEVER = "never"  # trying again cannot help
    CREDENTIALS = "credentials"  # nothing will be taken until somebody mends token or rights


#: The pair of business number and user sent too much.
PAIR_LIMIT_CODE: Final = 131056
#: The user has not written for 24 hours.
WINDOW_CLOSED_CODE: Final = 131047

_BACK_OFF: Final = frozenset({2, 4, 80007, 130429, 131000, 131016, 131057, 132069, 133004})
_NEVER: Final = frozenset(
    {100, 131008, 131009, 131026, 131047, 131048, 131049, 131050, 131062, 132068}
)
_CREDENTIALS: Final = frozenset({0, 10, 190, *range(200, 300)})

#: In plain words, for people who look at a failed message.
MEANINGS: Final[Mapping[int, str]] = {
    0: "The access token could not be checked. Import a new one.",
    2: "The platform is unavailable for a moment.",
    4: "The app has made too many calls. Sending goes on later.",
    10: "The access token lacks a permission. Give the system user whatsapp_business_messaging.",
    100: "The platform refuses the request's form. Check the phone number id and the flow id.",
    190: "The access token has expired or was revoked. Import a new one and promote it.",
    80007: "The business account has made too many calls. Sending goes on later.",
    130429: "The phone number sends too fast. Sending goes on later.",
    131000: "The platform failed.",
    131008: "The platform misses a member of the request.",
    131009: "The platform refuses a value of the request, perhaps the recipient's number.",
    131016: "The platform is overloaded for a moment.",
    131026: "It cannot be delivered: no WhatsApp account, an old app, or terms not accepted.",
    131047: "The user has not written for 24 hours, so only a template message would be taken.",
    131048: "Too many messages of this number were blocked or reported as spam.",
    131049: "The platform does not deliver it, to keep people from getting too many messages.",
    131050: "The user has stopped marketing messages of this business.",
    131056: "Too many messages to this user in a short time. Sending goes on later.",
    131057: "The account is being maintained. Sending goes on later.",
    131062: "The platform does not take this recipient.",
    132068: "The flow is blocked.",
    132069: "The flow is throttled: ten messages an hour. Sending goes on later.",
    133004: "The platform is unavailable for a moment.",
}


def disposition_of(status: int | None, code: int | None) -> Disposition:
    """Return what to do about a refusal with this HTTP status and ``error.code``."""
    if code == PAIR_LIMIT_CODE:
        return Disposition.PAIR_LIMIT
    if code in _BACK_OFF:
        return Disposition.BACK_OFF
    if code in _NEVER:
        return Disposition.NEVER
    if code in _CREDENTIALS:
        return Disposition.CREDENTIALS
    if status is None or status >= 500 or status in {408, 429} or status < 400:
        return Disposition.BACK_OFF
    # Without a known code: a wrong token says so by its status too.
    return Disposition.CREDENTIALS if status == 401 else Disposition.NEVER


def pair_wait(refusals_before: int) -> int:
    """Return the seconds to wait after a pair limit that was met so often before: 4^n."""
    return int(4 ** min(refusals_before, 8))


def meaning_of(code: int | None) -> str:
    """Return what ``error.code`` means, in words for people; empty for an unknown one."""
    if code is not None and 200 <= code < 300:
        return MEANINGS[10]
    return MEANINGS.get(code, "") if code is not None else ""
