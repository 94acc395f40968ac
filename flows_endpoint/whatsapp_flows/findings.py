"""What the steps in the exchange log mean for whoever calls a WhatsApp flow."""

from __future__ import annotations

from typing import Final

from flows_endpoint.exchange import Reason
from flows_endpoint.findings import Finding, Findings
from flows_endpoint.whatsapp_flows.errors import MEANINGS

FINDINGS: Final[Findings] = {
    "signature_missing": Finding(
        "There is no header `X-Hub-Signature-256`, or it is empty.",
        "Send it; see that no proxy takes it away.",
    ),
    "bad_signature": Finding(
        "`X-Hub-Signature-256` does not fit the body.",
        "Sign the bytes as they are sent (not JSON written anew), key the HMAC with the **text** "
        "of the app secret (not the bytes its hex stands for), and write `sha256=` in front of 64 "
        "lower-case hex digits. With a Meta app: import its app secret here.",
    ),
    "no_app_secret": Finding(
        "The flow has no app secret in force.", "Import the app secret of the Meta app."
    ),
    "envelope": Finding(
        "The body is no JSON object with the three texts.",
        "Send `encrypted_flow_data`, `encrypted_aes_key` and `initial_vector`.",
    ),
    "base64": Finding(
        "One of the three texts is not standard base64.",
        "Use the alphabet with `+` and `/`, and keep the `=` at the end.",
    ),
    "iv": Finding("`initial_vector` is not 16 bytes.", "Use an IV of 16 bytes, not the usual 12."),
    "rsa": Finding(
        "`encrypted_aes_key` does not open under a key of this flow to 16 bytes.",
        "Use RSA-OAEP with SHA-256 for the digest **and** for MGF1, the public key handed over or "
        "uploaded last, and wrap the 16 bytes themselves. With Meta: compare the public key there.",
    ),
    "gcm": Finding(
        "The AES key opened, but the tag of `encrypted_flow_data` does not fit.",
        "Use AES-128-GCM with that key and the IV that is sent, no associated data, and append "
        "the tag of 16 bytes to the cipher text.",
    ),
    "json": Finding("It decrypts, but to no JSON.", "Encrypt the JSON itself, in UTF-8."),
    "payload": Finding(
        "It decrypts to JSON that is no step: an `action` that is unknown, or a member of another "
        "type.",
        "`action` is `INIT`, `data_exchange`, `BACK` or `ping`; `version` is a text, `data` an "
        "object.",
    ),
    "token_signature_missing": Finding(
        "The step has no `flow_token_signature`, which this flow requires "
        "(`require_token_signature`).",
        "Send it, or have the option switched off: the platform sends one with data API 4.0 only.",
    ),
    "bad_token_signature": Finding(
        "`flow_token_signature` is not a JWT that vouches for the flow token.",
        "Sign it HS256 with the text of the app secret, have the flow token as the value of a "
        "claim, and an `exp`, if any, that is not over.",
    ),
    f"{Reason.BUSINESS}:flow_token": Finding(
        "The service says that the flow token is no longer valid.",
        "Nothing: the form is completed or closed. Open it with a new token.",
    ),
    "second reply": Finding(
        "The very same request, byte for byte, came before and was answered differently.",
        "Make a new AES key and IV for each request.",
    ),
    "bad_verify_token": Finding(
        "Webhook: `hub.verify_token` is not the one of this flow.",
        "Enter the verify token that was handed over beside the webhook address.",
    ),
    "bad_envelope": Finding(
        "Webhook: the GET is no subscription, or its challenge is missing or too long.",
        "Send `hub.mode=subscribe`, `hub.verify_token` and `hub.challenge`.",
    ),
}


def of_code(code: str, step: str) -> Finding | None:
    """Return what one of the HTTP statuses means."""
    meaning = MEANINGS.get(int(code)) if code.isascii() and code.isdecimal() else None
    return None if meaning is None else Finding(meaning.cause, meaning.fix)
