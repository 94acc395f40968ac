"""What the steps in the exchange log mean for a partner of CitCall."""

from __future__ import annotations

from typing import Final

from flows_endpoint.citcall.errors import MEANINGS
from flows_endpoint.exchange import Reason
from flows_endpoint.findings import Finding, Findings

FINDINGS: Final[Findings] = {
    "no_authorization": Finding(
        "There is no `Authorization` header.",
        "Send it; see that no proxy or redirect takes it away.",
    ),
    "bad_authorization": Finding(
        "The `Authorization` header has none of the three forms.",
        "Send base64 of `userid:api_key` bare or behind `Basic`, or `Apikey` and the key. "
        "`Bearer` is none of them.",
    ),
    "unknown_userid": Finding(
        "No flow in service has this userid.",
        "Compare it with the one handed over, upper and lower case included.",
    ),
    "unknown_api_key": Finding(
        "The userid is known; the API key is not one of those in force.",
        "Use the key handed over last, all 32 characters of it.",
    ),
    "content-type": Finding(
        "The body does not come as `application/json`.", "Send `Content-Type: application/json`."
    ),
    "missing_data": Finding(
        'The body is not JSON of the form `{"data": "…"}`.',
        "Seal the request and send the result in `data`.",
    ),
    "base64": Finding(
        "`data` is not base64.", "Send base64url of the bytes, not hex and not the text itself."
    ),
    "not_ascii": Finding(
        "`data` holds bytes above 127, so a sum was not taken modulo 128.",
        "Take each sum modulo 128, not 256.",
    ),
    "no_stamp": Finding(
        "Under userid and API key it opens to a text without a dot.",
        "Seal with the userid and key of the header; character 0 is added the **last** character "
        "of the key, character 1 the first.",
    ),
    "bad_stamp": Finding(
        "What stands before the first dot is no Unix time written backwards.",
        "If `data` opens at all, the time is in milliseconds or has a fraction: write whole "
        "seconds, back to front. Else userid, key or the shift by one place is wrong.",
    ),
    "json": Finding(
        "It opens to a time and a dot, but what follows is no strict JSON.",
        "Write the JSON in ASCII, everything beyond as `\\uXXXX`.",
    ),
    "too_old": Finding(
        "It opens, and its time is further back than the window.",
        "Seal each request anew when it is sent, and set the clock (NTP). Unix time has no zone.",
    ),
    "too_new": Finding(
        "It opens, and its time lies ahead of the window.",
        "Write the digits of the time back to front, and set the clock (NTP). Unix time has no "
        "zone.",
    ),
    f"{Reason.REPLAYED}:": Finding(
        "The same `data` was sent before.",
        "Seal every request anew; give each its own `clientUniqueId`.",
    ),
    "same id in progress": Finding(
        "The first request with this `clientUniqueId` is still being served.",
        "Send it again after some seconds; it gets the reply of the first.",
    ),
}


def of_code(code: str, step: str) -> Finding | None:
    """Return what an ``rc`` means."""
    meaning = MEANINGS.get(code)
    return None if meaning is None else Finding(meaning.cause, meaning.fix)
