"""What the steps in the exchange log mean for a partner of Kairos."""

from __future__ import annotations

from typing import Final

from flows_endpoint.exchange import Reason
from flows_endpoint.findings import Finding, Findings
from flows_endpoint.kairos.errors import MEANINGS, known

FINDINGS: Final[Findings] = {
    "content_type": Finding(
        "The body comes under a content type that is neither JSON nor plain text.",
        "Send `Content-Type: application/json`, and the JSON itself, not a form.",
    ),
    "envelope_json": Finding(
        "The body is not strict JSON in UTF-8.",
        "Look for a trailing comma, a comment, a member that comes twice, a byte order mark.",
    ),
    "envelope_shape": Finding("The body is JSON, but no object.", "Send one object."),
    "envelope_member": Finding(
        "`requestEncryptedValue` or `requestDigitalSignatureValue` is missing or not a text.",
        "Send both. A request that is not encrypted goes to the address without `enc/`.",
    ),
    f"{Reason.UNKNOWN_FLOW}:flow_id": Finding(
        "The outer `flow-id` is missing or not 8 letters and digits.",
        "Send the `flow_id` that was handed over.",
    ),
    f"{Reason.SOURCE}:switched off": Finding(
        "The address is switched off for this flow: unencrypted requests, encrypt helper or key "
        "generation.",
        "Call the encrypted address, or ask to have this one switched on.",
    ),
    "base64": Finding(
        "`requestEncryptedValue` or `requestDigitalSignatureValue` is not standard base64.",
        "Use the alphabet with `+` and `/`, keep the `=` at the end, and send no hex.",
    ),
    "rsa": Finding(
        "`requestDigitalSignatureValue` is no RSA block for a key of this flow: it has another "
        "length, or the padding agreed on does not fit.",
        "Wrap with the public key that was handed over last, with the padding of the flow "
        "(`rsa_padding`).",
    ),
    "wrapped_key": Finding(
        "The RSA block opened to something that is no base64 text, so the AES key was another.",
        "Use PKCS#1 v1.5 padding unless agreed otherwise, the public key handed over last, and "
        "wrap the text K = base64(s): no bytes, no hash.",
    ),
    "cipher_length": Finding(
        "The cipher text is empty or no multiple of 16 bytes.",
        "Encrypt with PKCS#7 padding, and base64 the bytes once: not a hex text of them.",
    ),
    "padding": Finding(
        "A text was unwrapped, but the value does not decrypt under its AES key.",
        "Wrap the text K = base64(s), not s itself. The key is the first 16 **bytes** of SHA-256 "
        "over the text K (not over s, and not over hex digits), the mode ECB with PKCS#7 padding.",
    ),
    "inner_base64": Finding(
        "It decrypts, but to something that is not base64.",
        "Encrypt P = base64(JSON), not the JSON itself.",
    ),
    "json": Finding(
        "It decrypts to base64 of something that is not strict JSON in UTF-8.",
        "Look for a trailing comma, a member that comes twice, another character set.",
    ),
    "shape": Finding("It decrypts to JSON that is no object.", "Encrypt one object."),
    f"{Reason.NOT_AUTHENTIC}:flow_id": Finding(
        "It opens, but the `flow-id` inside is not the one outside.",
        "Write the same one in both places.",
    ),
    "security_id": Finding(
        "`security-id` is missing, wrong or no longer accepted.",
        "Send the 64 digits as handed over. Missing is also what an **encrypted** body at an "
        "address for unencrypted requests is told: put `enc/` into the path.",
    ),
    "request_value": Finding(
        "Encrypt helper: `requestValue` is not base64 of a JSON text.", "Send base64(JSON)."
    ),
    "key_string": Finding(
        "Encrypt helper: `aesKey` is missing or of a form that cannot be wrapped.",
        "Send the key string s itself, as text.",
    ),
    f"{Reason.REPLAYED}:": Finding(
        "A payload with these very bytes was accepted within the flow's window.",
        "It is in hand: do not send it again. To call again, change a `client-identifier`.",
    ),
}


def of_code(code: str, step: str) -> Finding | None:
    """Return what an ``api-response-code`` means."""
    found = known(code)
    return None if found is None else Finding(MEANINGS[found].cause, MEANINGS[found].fix)
