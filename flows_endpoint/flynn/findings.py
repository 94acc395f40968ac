"""What the steps in the exchange log mean for a partner of Flynn."""

from __future__ import annotations

from typing import Final

from flows_endpoint.exchange import Reason
from flows_endpoint.findings import Finding, Findings
from flows_endpoint.flynn.errors import EWB_ERRORS, IRP_ERRORS, MEANINGS, Err

FINDINGS: Final[Findings] = {
    "address": Finding(
        "There is nothing at this address.",
        "Compare path and version with the page; there is no slash at the end.",
    ),
    f"{Reason.MALFORMED}:body": Finding(
        "The body of the log-in is not a JSON object.", "Send strict JSON in UTF-8."
    ),
    "credentials": Finding(
        "No user has this handle with this password.",
        "Send `handle` and `password` as handed over; the handle is not the `org_id`.",
    ),
    "token": Finding(
        "Renewing or logging out: there is no token of ours behind `Bearer` in `Authorization`.",
        "Send `Authorization: Bearer` and the token; only here the word is wanted.",
    ),
    "token_missing": Finding(
        "There is no header `X-FLYNN-N-USER-TOKEN`.", "Log in and send the token."
    ),
    "token_invalid": Finding(
        "`X-FLYNN-N-USER-TOKEN` is no token of ours.",
        "Send it bare, without the word `Bearer` and without quotes. Else log in again.",
    ),
    "token_expired": Finding(
        "The token's time is over.", "Log in again; next time renew it before it ends."
    ),
    "session_ended": Finding(
        "The token is genuine, but its session ended: by a log-out, with its password, or after "
        "too many requests that did not open.",
        "Log in again.",
    ),
    "org": Finding(
        "`X-FLYNN-N-ORG-ID` is not an organisation of the token's user.",
        "Send the `org_id` handed over with the handle that the token was given to.",
    ),
    "header": Finding(
        "A header `X-FLYNN-N-*` is not printable ASCII, or there are too many `X-FLYNN-S-*`.",
        "Encrypt what is not ASCII; send only the headers of the page.",
    ),
    "mode": Finding(
        "`X-FLYNN-N-AES-ENCRYPTION-MODE` is neither ECB nor CBC.",
        "Send `ECB` or `CBC`, or leave it out for ECB.",
    ),
    "rek_missing": Finding(
        "Something is encrypted, but there is no `X-FLYNN-S-REK`.",
        "Send the wrapped REK with every request that has an encrypted header.",
    ),
    "rek": Finding(
        "`X-FLYNN-S-REK` does not open under a key of this flow to the text of an AES key.",
        "Wrap the **hex text** of the key (32, 48 or 64 digits; not the bytes, not base64), with "
        "PKCS#1 v1.5 (not OAEP) and the public key handed over last; then base64.",
    ),
    "iv_missing": Finding(
        "CBC is announced, but there is no `X-FLYNN-S-IV`, and the values do not open.",
        "Send the IV, wrapped like the REK, in a header of its own.",
    ),
    "value": Finding(
        "The REK opened, but an `X-FLYNN-S-*` value does not open under it.",
        "The key is the REK's **bytes**, not its hex text; the mode is the announced one (ECB when "
        "none is); PKCS#7; base64, not hex; in CBC the IV is not in front of the value, and it is "
        "wrapped for the same public key as the REK.",
    ),
}


def of_code(code: str, step: str) -> Finding | None:
    """Return what one of the contract's errors means; of a portal's, what the portal says."""
    err = next((err for err in Err if err.value == code), None)
    if err is None:
        return None
    said = {Err.IRP: IRP_ERRORS, Err.EWB: EWB_ERRORS}.get(err, {}).get(step)
    return Finding(f"{step}: {said}" if said else MEANINGS[err].cause, MEANINGS[err].fix)
