"""Examples for the partner page and the OpenAPI document, made by running the code.

They open under the demo keys: ``demo_key.pem`` beside this file, and the app secret below.
Key, IVs and the wrapped key are fixed, so that the page shows the same bytes whenever it is
made; OAEP is randomised, so the wrapped key is kept here.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from crypto_schemes import base64_text, json_text
from crypto_schemes.ciphers import rsa
from crypto_schemes.envelope import OpenedRequest, SealedReply, SealedRequest
from crypto_schemes.keys import Credentials, KeyVersion
from crypto_schemes.whatsapp_flows import SCHEME, Session, WhatsAppFlowsOptions, write_envelope
from crypto_schemes.whatsapp_flows.signatures import SIGNATURE_HEADER, sign_body
from flows_endpoint.callback_example import signature_example
from flows_endpoint.findings import findings_table
from flows_endpoint.whatsapp_flows.errors import MEANINGS
from flows_endpoint.whatsapp_flows.findings import FINDINGS

DEMO_APP_SECRET: Final = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
DEMO_VERIFY_TOKEN: Final = "demo-verify-token-of-the-webhook"
#: The private key is published on purpose; it opens nothing but these examples.
DEMO_KEY_FILE: Final = Path(__file__).parent / "demo_key.pem"
#: The AES key of every example, and the same under the public half of the demo key.
_AES_KEY: Final = bytes.fromhex("00112233445566778899aabbccddeeff")
_WRAPPED: Final = (
    "iidwJf4IG+u3abRjxtHqippOI7uTOOFELm9Q5ZwZ+YHCh4swRLNLA7lYimaivd6CzUsYjL1zcB8iGCWNKHyOov"
    "daMC1/yXPWTAJcxhVA1imik91E7JCA6B88GM7wlymZoBZJR9ydRWNss1THprAiCPQRkO9Shg3skzFD2GhcviBl"
    "wn3Y3p7DvWpHICluOU5BcTaj3KjA5Jt67UQc8g8YAkgOOdUMsOMIanWiwvz5JBKRJqHG0u8gI8f/eRE4TWyJSA"
    "r2K6e6+oD5iNlztRN7Xo2PqSxzcETBDWb3B4TF19GGWqASyyZrGGXHd4usva6pfo+dQjNPFDda075ktKz/1g=="
)
_TOKEN: Final = "order-1001"
_CHOSEN: Final = {"service": "repair", "branch": "north", "date": "2026-01-05", "time": "09:00"}
_PARAMS: Final = {
    "flow_token": _TOKEN,
    "appointment_id": "3f0f7c2e-9a54-4d2b-8f0e-0d6a5b1c2e3f",
    "service": "Repair",
    "branch": "North Street",
    "date": "2026-01-05",
    "time": "09:00",
}

PING: Final[dict[str, Any]] = {"version": "3.0", "action": "ping"}
PONG: Final[dict[str, Any]] = {"data": {"status": "active"}}
STEP: Final[dict[str, Any]] = {
    "version": "3.0",
    "action": "data_exchange",
    "screen": "APPOINTMENT",
    "data": _CHOSEN,
    "flow_token": _TOKEN,
}
NEXT: Final[dict[str, Any]] = {
    "screen": "DETAILS",
    "data": {"heading": "Repair, North Street, Mon 2026-01-05, 09:00", **_CHOSEN},
}
WRONG: Final[dict[str, Any]] = {
    "screen": "DETAILS",
    "data": {"error_message": "Please write a valid e-mail address."},
}
END: Final[dict[str, Any]] = {
    "screen": "SUCCESS",
    "data": {"extension_message_response": {"params": _PARAMS}},
}
CLOSED: Final[dict[str, Any]] = {"error_msg": "This form has already been completed."}
COMPLETED: Final[dict[str, Any]] = {
    "event": "flow.completed",
    "completed_at": "2026-01-02T10:15:30Z",
    "flow_token": _TOKEN,
    "params": _PARAMS,
    "summary": "Thank you! See you on 2026-01-05 at 09:00, North Street.",
}
UPDATE: Final[dict[str, Any]] = {
    "object": "whatsapp_business_account",
    "entry": [
        {
            "id": "100000000000001",
            "time": 1767348930,
            "changes": [
                {
                    "field": "flows",
                    "value": {
                        "event": "FLOW_STATUS_CHANGE",
                        "flow_id": "200000000000002",
                        "old_status": "DRAFT",
                        "new_status": "PUBLISHED",
                    },
                }
            ],
        }
    ],
}
_OPTIONS: Final = WhatsAppFlowsOptions()


@dataclass(frozen=True, slots=True)
class Sealed:
    """One request and its reply as they travel."""

    request: SealedRequest
    opened: OpenedRequest
    reply: SealedReply


@cache
def demo_credentials() -> Credentials:
    """Return the demo keys, parsed."""
    key = rsa.load_private_pem(DEMO_KEY_FILE.read_text(encoding="ascii"))
    return Credentials(
        versions={
            "whatsapp_rsa": (KeyVersion("demo-rsa", "whatsapp_rsa", 1, key),),
            "app_secret": (KeyVersion("demo-secret", "app_secret", 1, DEMO_APP_SECRET),),
            "verify_token": (KeyVersion("demo-verify", "verify_token", 1, DEMO_VERIFY_TOKEN),),
        }
    )


def sealed(asked: dict[str, Any], answered: dict[str, Any]) -> Sealed:
    """Return ``asked`` as the platform sends it, and ``answered`` as this product replies."""
    credentials = demo_credentials()
    raw = json_text.compact(asked)
    session = Session(_AES_KEY, hashlib.sha256(raw).digest()[:16])
    body = write_envelope(raw, session, base64_text.decode(_WRAPPED))
    signature = sign_body(body, credentials.active("app_secret"))
    request = SealedRequest(body=body, headers={SIGNATURE_HEADER: signature}, context=session)
    opened = SCHEME.open_request(request, credentials, _OPTIONS, now=0)
    reply = SCHEME.seal_reply(answered, opened, credentials, _OPTIONS, now=0)
    return Sealed(request, opened, reply)


def render() -> dict[str, str]:
    """Return the blocks of the partner page, as Markdown."""
    credentials = demo_credentials()
    public_key = rsa.public_pem(credentials.active("whatsapp_rsa").rsa_private)
    update = json_text.compact(UPDATE)
    signature = sign_body(update, credentials.active("app_secret"))
    return {
        "keys": f"```\n{public_key.strip()}\n```\n\nApp secret: `{DEMO_APP_SECRET}`",
        "ping": _exchange(PING, PONG),
        "step": _exchange(STEP, NEXT),
        "snackbar": _json(WRONG),
        "end": _json(END),
        "token-error": _exchange(STEP, CLOSED),
        "errors": _errors(),
        "findings": findings_table(FINDINGS),
        "signature": signature_example(),
        "completed": _json(COMPLETED),
        "update": f"```http\nX-Hub-Signature-256: {signature}\n\n{update.decode()}\n```",
    }


def _exchange(asked: dict[str, Any], answered: dict[str, Any]) -> str:
    made = sealed(asked, answered)
    session: Session = made.opened.context
    return "\n\n".join(
        (
            f"Inside the request:\n\n{_json(asked)}",
            "On the wire:",
            "```http\n"
            f"X-Hub-Signature-256: {made.request.headers[SIGNATURE_HEADER]}\n"
            "Content-Type: application/json\n\n"
            f"{made.request.body.decode()}\n```",
            f"AES key `{session.key.hex()}`, IV `{session.iv.hex()}`, "
            f"IV of the reply `{session.reply_iv.hex()}`.",
            f"Inside the reply:\n\n{_json(answered)}",
            f"On the wire, `text/plain`:\n\n```\n{made.reply.body.decode()}\n```",
        )
    )


def _json(value: dict[str, Any]) -> str:
    return f"```json\n{json.dumps(value, indent=2, ensure_ascii=False)}\n```"


def _errors() -> str:
    rows = ["| HTTP | body | cause | what to do |", "|---|---|---|---|"]
    rows += [
        f"| {status} | {meaning.body} | {meaning.cause} | {meaning.fix} |"
        for status, meaning in MEANINGS.items()
    ]
    return "\n".join(rows)
