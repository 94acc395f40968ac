"""What the steps in the exchange log mean for a partner of ISU."""

from __future__ import annotations

from typing import Final

from flows_endpoint.exchange import Reason
from flows_endpoint.findings import Finding, Findings
from flows_endpoint.isu.errors import MEANINGS, IsuError

_KEY: Final = (
    "The key is the 32 bytes that the base64 stands for, not its text; the mode is CBC, the "
    "padding PKCS#7, and the IV is the first 16 bytes of what is sent."
)
_BASE64: Final = (
    "Use standard base64 with `+` and `/`, keep the `=` at the end, without line breaks; no hex."
)

FINDINGS: Final[Findings] = {
    "pass_key_missing": Finding(
        "There is no header `pass_key`.",
        "Send it. Names with an underscore are dropped by nginx and other proxies unless they "
        "are told not to.",
    ),
    "pass_key_twin": Finding(
        "`pass_key` came more than once, or under two spellings.", "Send it once."
    ),
    "pass_key_unknown": Finding(
        "No flow in service has this pass key.",
        "Compare it with the one handed over; look for blanks and quotes around it.",
    ),
    "pass_key_invalid": Finding(
        "The pass key ended at this moment.", "Use the pass key handed over last."
    ),
    f"{Reason.MALFORMED}:path": Finding(
        "The flow serves no product at this path.",
        "Compare the path with the one agreed on, letter by letter; there is no slash at the end.",
    ),
    "header_secrets_missing": Finding(
        "There is no header `header_secrets`.",
        "Send it. Names with an underscore are dropped by nginx and other proxies unless they "
        "are told not to.",
    ),
    "header_secrets_empty": Finding(
        "`header_secrets` is empty.", "Look for a variable that was never set."
    ),
    "header_twin": Finding(
        "`header_secrets` came more than once, or under two spellings.", "Send it once."
    ),
    "header_base64": Finding("`header_secrets` is not standard base64.", _BASE64),
    "header_length": Finding(
        "`header_secrets` is shorter than an IV and a block, or no multiple of 16 bytes.",
        "Put the 16 bytes of the IV in front of the cipher text, then write both as base64, once.",
    ),
    "header_padding": Finding(
        "`header_secrets` does not decrypt under a key of this flow.",
        f"{_KEY} Check that it is the key handed over last.",
    ),
    "header_json": Finding(
        "`header_secrets` decrypts, but to no JSON: the key is right.",
        "If only the first 16 characters are spoilt, the IV is not in front of the value. Else "
        "encrypt the JSON itself, not base64 of it.",
    ),
    "header_members": Finding(
        "`header_secrets` opens, but is not an object with `client_id`, `client_secret` and "
        "`epoch`, or the epoch is no Unix time.",
        "Send id and secret as texts, each member once, and the epoch in seconds or "
        "milliseconds: a number, not a date.",
    ),
    "header_credentials": Finding(
        "`header_secrets` opens, but `client_id` or `client_secret` is wrong or has ended.",
        "Compare both with those handed over last.",
    ),
    "epoch": Finding(
        "`header_secrets` opens and is yours, but its epoch is too far from this server's clock.",
        "Encrypt it anew for each call; set the clock (NTP); Unix time has no zone.",
    ),
    "header_secrets": Finding(
        "This `header_secrets` was used before.",
        "Encrypt a new one for each call, also for a retry.",
    ),
    "content_type": Finding(
        "The body does not come as `application/json`.", "Send `Content-Type: application/json`."
    ),
    "data_form": Finding(
        "The body is not a JSON object with a text `RequestData`.",
        'Seal the request and send `{"RequestData": "…"}`.',
    ),
    "data_base64": Finding("`RequestData` is not standard base64.", _BASE64),
    "data_length": Finding(
        "`RequestData` is shorter than an IV and a block, or no multiple of 16 bytes.",
        "Put the 16 bytes of the IV in front of the cipher text, then write both as base64, once.",
    ),
    "data_padding": Finding(
        "`RequestData` does not decrypt under the key for bodies; the header did open.",
        f"{_KEY} Where a key for bodies was handed over (`aes_payload_key_base64`), use that one.",
    ),
    "data_json": Finding(
        "`RequestData` decrypts, but to no JSON: the key is right.",
        "If only the first 16 characters are spoilt, the IV is not in front of the value. Else "
        "encrypt the JSON itself, in UTF-8.",
    ),
}


def of_code(code: str, step: str) -> Finding | None:
    """Return what one of the contract's errors means."""
    error = IsuError.__members__.get(code)
    return None if error is None else Finding(*MEANINGS[error])
