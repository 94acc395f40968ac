"""What the Cloud API takes, and the errors it answers with otherwise."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

PHONE: Final = re.compile(r"\+?[1-9][0-9]{6,14}")
#: A business-scoped user id: country, perhaps ENT, up to 128 letters and digits.
SCOPED_ID: Final = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")
VERSION: Final = re.compile(r"v[1-9][0-9]{0,2}\.[0-9]")

LONGEST_TEXT: Final = 4096
LONGEST_BODY: Final = 1024
LONGEST_FOOTER: Final = 60
LONGEST_CTA: Final = 30
LONGEST_OPAQUE: Final = 512

#: Usual HTTP status of an error code; 400 for the others.
STATUS_OF: Final[Mapping[int, int]] = {
    0: 401,
    2: 503,
    4: 429,
    10: 403,
    190: 401,
    80007: 429,
    130429: 429,
    131000: 500,
    131016: 500,
    131048: 429,
    131056: 429,
    131057: 503,
    133004: 503,
}


class CloudError(Exception):
    """The API refuses. ``code`` is ``error.code``."""

    def __init__(self, code: int, details: str = "", *, status: int | None = None) -> None:
        super().__init__(f"({code}) {details}")
        self.code = code
        self.details = details
        usual = 403 if 200 <= code < 300 else STATUS_OF.get(code, 400)
        self.status = usual if status is None else status

    def as_json(self) -> dict[str, Any]:
        return {
            "error": {
                "message": f"(#{self.code}) {self.details or 'told to fail'}",
                "type": "OAuthException",
                "code": self.code,
                "error_data": {"messaging_product": "whatsapp", "details": self.details},
                "fbtrace_id": "AStandInTrace0123456789",
            }
        }


def recipient_of(body: Mapping[str, Any]) -> str:
    """Return who a message is for, without a plus. Raises CloudError."""
    if ("to" in body) == ("recipient" in body):
        raise CloudError(131008, "Give either to or recipient.")
    if "to" in body:
        to = body["to"]
        if not isinstance(to, str) or not PHONE.fullmatch(to):
            raise CloudError(131009, "to is not a phone number in E.164.")
        return to.lstrip("+")
    recipient = body["recipient"]
    if not isinstance(recipient, str) or not SCOPED_ID.fullmatch(recipient):
        raise CloudError(131009, "recipient is not a business-scoped user id.")
    return recipient


def check_message(body: Any) -> None:
    """Check a message beyond its recipient. Raises CloudError."""
    if not isinstance(body, dict):
        raise CloudError(100, "The body is not a JSON object.")
    if body.get("messaging_product") != "whatsapp":
        raise CloudError(100, "messaging_product must be whatsapp.")
    if body.get("recipient_type", "individual") != "individual":
        raise CloudError(100, "recipient_type must be individual.")
    opaque = body.get("biz_opaque_callback_data", "")
    if not isinstance(opaque, str) or len(opaque) > LONGEST_OPAQUE:
        raise CloudError(100, "biz_opaque_callback_data is too long.")
    kind = body.get("type", "text")
    if kind == "text":
        _check_text(body.get("text"))
    elif kind == "interactive":
        _check_flow(body.get("interactive"))
    else:
        raise CloudError(100, "This stand-in takes text and interactive messages.")


def _check_text(text: Any) -> None:
    if not isinstance(text, dict) or "body" not in text:
        raise CloudError(131008, "text.body is missing.")
    _check_length(text["body"], LONGEST_TEXT, "text.body")
    if not isinstance(text.get("preview_url", False), bool):
        raise CloudError(100, "text.preview_url must be true or false.")


def _check_flow(interactive: Any) -> None:
    if not isinstance(interactive, dict) or interactive.get("type") != "flow":
        raise CloudError(131009, "interactive.type must be flow.")
    body = interactive.get("body")
    if not isinstance(body, dict) or "text" not in body:
        raise CloudError(131008, "interactive.body.text is missing.")
    _check_length(body["text"], LONGEST_BODY, "interactive.body.text")
    for name in ("header", "footer"):
        part = interactive.get(name)
        if part is not None:
            _check_length(part.get("text"), LONGEST_FOOTER, f"interactive.{name}.text")
    action = interactive.get("action")
    if not isinstance(action, dict) or action.get("name") != "flow":
        raise CloudError(131009, "interactive.action.name must be flow.")
    _check_parameters(action.get("parameters"))


def _check_parameters(given: Any) -> None:
    if not isinstance(given, dict):
        raise CloudError(131008, "action.parameters is missing.")
    if given.get("flow_message_version") != "3":
        raise CloudError(131009, "flow_message_version must be 3.")
    if not re.fullmatch(r"[0-9]{1,32}", str(given.get("flow_id", ""))):
        raise CloudError(131009, "flow_id must be the id of a published flow.")
    _check_length(given.get("flow_cta"), LONGEST_CTA, "flow_cta")
    if any(unicodedata.category(letter) == "So" for letter in given["flow_cta"]):
        raise CloudError(131009, "flow_cta must have no emoji.")
    _check_length(given.get("flow_token", "unused"), 1024, "flow_token")
    action, payload = given.get("flow_action", "navigate"), given.get("flow_action_payload")
    if action not in ("navigate", "data_exchange"):
        raise CloudError(131009, "flow_action must be navigate or data_exchange.")
    if action == "data_exchange":
        if payload is not None:
            raise CloudError(131009, "flow_action_payload goes with navigate only.")
        return
    if not isinstance(payload, dict) or not isinstance(payload.get("screen"), str):
        raise CloudError(131008, "flow_action_payload.screen is missing.")
    if "data" in payload and not (isinstance(payload["data"], dict) and payload["data"]):
        raise CloudError(131009, "flow_action_payload.data must be an object with members.")


def _check_length(text: Any, longest: int, name: str) -> None:
    if not isinstance(text, str):
        raise CloudError(131008, f"{name} is missing.")
    if not 1 <= len(text) <= longest:
        raise CloudError(131009, f"{name} must have 1 to {longest} characters.")


def check_public_key(pem: str) -> None:
    """Take a PEM of an RSA public key of 2048 bits and nothing else. Raises CloudError."""
    try:
        key = load_pem_public_key(pem.encode())
    except ValueError:
        raise CloudError(100, "business_public_key is not a PEM public key.") from None
    if not isinstance(key, RSAPublicKey) or key.key_size != 2048:
        raise CloudError(100, "business_public_key must be an RSA key of 2048 bits.")
