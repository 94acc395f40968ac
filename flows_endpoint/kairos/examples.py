"""Examples for the partner page and the OpenAPI document, made by running the code.

They use the documented demo keys and no database. RSA is random, so the wrapped key was made
once (``demo/wrapped_key.txt``) for the key string below; everything else is computed. The
examples carry no time stamp that ages: they open whenever they are read.
"""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

from crypto_schemes import base64_text
from crypto_schemes.json_text import JSONValue, compact
from crypto_schemes.kairos import KairosEnvelope, KairosOptions, encrypt_value
from crypto_schemes.kairos.envelope import aes_key
from flows_endpoint.callback_example import signature_example
from flows_endpoint.findings import findings_table
from flows_endpoint.kairos.errors import MEANINGS, Code, head
from flows_endpoint.kairos.findings import FINDINGS
from flows_endpoint.kairos.models import FlowStatus
from flows_endpoint.kairos.story import call_details, did_of, ending_of
from flows_endpoint.markdown import fenced, table

DEMO: Final = Path(__file__).with_name("demo")
DEMO_FLOW_ID: Final = "Demo7Kai"
DEMO_SECURITY_ID: Final = "d3" * 31 + "0e"
DEMO_KEY_STRING: Final = "Xq4mZt81"

_REQUEST_ID: Final = "7a1f0c52-0d3b-4c8e-9a67-5b1d2e3f4a50"
_CALL_ID: Final = "2f6d1b84-93ce-4e0a-8f75-c0ffee001001"
_CDR_ID: Final = uuid.UUID("b94a70de-51c8-4f3e-a6d2-0123456789ab")
_NUMBER: Final = "910000000016"
_SEED: Final = "example"

REQUEST: Final[dict[str, JSONValue]] = {
    "api-version": "1.0",
    "security-id": DEMO_SECURITY_ID,
    "flow-id": DEMO_FLOW_ID,
    "calls": [
        {
            "client-identifier": "order-1001",
            "start-time": "2030-01-23T08:02:53.311+05:30",
            "contact-numbers": [_NUMBER, "910000000018"],
            "keys": [{"name": "$flow.key.Name", "value": "Zoë"}],
        }
    ],
}
REPLY: Final[dict[str, JSONValue]] = {
    **head(Code.SUCCESS),
    "request-id": _REQUEST_ID,
    "call-details": [{"client-identifier": "order-1001", "phonon-uuid": _CALL_ID}],
}
PULL: Final[dict[str, JSONValue]] = {
    "security-id": DEMO_SECURITY_ID,
    "flow-id": DEMO_FLOW_ID,
    "phonon-uuids": [_CALL_ID],
    "fetch-attempt": "ALL",
}
ENCRYPT_DATA: Final[dict[str, JSONValue]] = {
    "requestValue": base64_text.encode(compact(REQUEST)),
    "aesKey": DEMO_KEY_STRING,
    "flow-id": DEMO_FLOW_ID,
}
GENERATE_KEY_PAIR: Final[dict[str, JSONValue]] = {"flow-id": DEMO_FLOW_ID}


@cache
def envelope() -> KairosEnvelope:
    """Return REQUEST as it travels, under the demo key pair."""
    return KairosEnvelope(
        flow_id=DEMO_FLOW_ID,
        encrypted_value=encrypt_value(compact(REQUEST), DEMO_KEY_STRING),
        wrapped_key=(DEMO / "wrapped_key.txt").read_text("ascii").strip(),
    )


def helper_reply() -> dict[str, JSONValue]:
    """Return what the encrypt helper answers to ENCRYPT_DATA."""
    made = envelope()
    return {
        "flow-id": made.flow_id,
        "requestEncryptedValue": made.encrypted_value,
        "requestDigitalSignatureValue": made.wrapped_key,
    }


def details() -> dict[str, Any]:
    """Return the ``callDetails`` element of a call that was answered."""
    return call_details(
        _CDR_ID,
        _NUMBER,
        did_of(_SEED, DEMO_FLOW_ID, "91"),
        datetime.fromisoformat("2030-01-23T08:02:54.004+05:30"),
        ending_of(_SEED, "order-1001", _NUMBER, 1),
    )


def callback() -> dict[str, Any]:
    """Return the callback after that call."""
    return {"body": {"phonon-uuid": _CALL_ID, "callDetails": [details()]}}


def pull_reply() -> dict[str, Any]:
    """Return the answer to PULL."""
    return {
        **head(Code.SUCCESS),
        "data": [
            {
                "phonon-uuid": _CALL_ID,
                "client-identifier": "order-1001",
                "status": ending_of(_SEED, "order-1001", _NUMBER, 1).leads_to.value,
                "callDetails": [details()],
            }
        ],
    }


def no_data() -> dict[str, Any]:
    """Return the answer to a PULL of ids that are none of the flow's."""
    return {**head(Code.NO_DATA_AVAILABLE), "data": []}


def render() -> dict[str, str]:
    """Return the blocks of docs/protocols/kairos.md by name, as Markdown."""
    return {
        "keys": table(
            ("name", "value"),
            (
                ("flow_id", DEMO_FLOW_ID),
                ("security_id", DEMO_SECURITY_ID),
                ("key string", DEMO_KEY_STRING),
            ),
            code=2,
        ),
        "public-key": fenced("text", (DEMO / "public_key.pem").read_text("ascii").strip()),
        "request": fenced("json", _pretty(REQUEST)),
        "steps": fenced("text", _steps()),
        "envelope": fenced(
            "http",
            "POST /kairos-apis/enc/outbound/create HTTP/1.1\nContent-Type: application/json\n\n"
            + envelope().as_body().decode(),
        ),
        "reply": fenced("json", _compact(REPLY)),
        "error": fenced("json", _compact(head(Code.INVALID_SECURITY_ID))),
        "encryptdata": fenced("json", _compact(ENCRYPT_DATA)),
        "encryptdata-reply": fenced("json", _compact(helper_reply())),
        "pull": fenced("json", _compact(PULL)),
        "pull-reply": fenced("json", _pretty(pull_reply())),
        "no-data": fenced("json", _compact(no_data())),
        "callback": fenced("json", _pretty(callback())),
        "statuses": table(
            ("status", "meaning"),
            [(str(value), label) for value, label in FlowStatus.choices],
            code=1,
        ),
        "errors": table(
            ("code", "message", "status name", "cause", "what to do"),
            [
                (str(int(code)), m.message, f"`{code.name}`", m.cause, m.fix)
                for code, m in MEANINGS.items()
            ],
            code=1,
        ),
        "findings": findings_table(FINDINGS),
        "signature": signature_example(),
        "options": table(
            ("option", "default", "what it does"),
            [
                (name, f"`{_default(name)}`", option.description or "")
                for name, option in KairosOptions.model_fields.items()
            ],
            code=1,
        ),
    }


def _steps() -> str:
    """Show each intermediate form of REQUEST, long ones cut."""
    raw = compact(REQUEST)
    encoded = base64_text.encode(DEMO_KEY_STRING.encode())
    made = envelope()
    return "\n".join(
        (
            f"JSON, UTF-8                     {raw.decode()[:60]}…  ({len(raw)} bytes)",
            f"P  = base64(JSON)               {_cut(base64_text.encode(raw))}",
            f"s  = key string                 {DEMO_KEY_STRING}",
            f"K  = base64(s)                  {encoded}",
            f"AES key = SHA-256(K)[0:16]      {aes_key(encoded.encode()).hex()}",
            f"requestEncryptedValue           {_cut(made.encrypted_value or '')}",
            f"requestDigitalSignatureValue    {_cut(made.wrapped_key or '')}",
        )
    )


def _cut(text: str) -> str:
    return f"{text[:48]}…{text[-8:]}  ({len(text)} characters)"


def _default(option: str) -> str:
    value = KairosOptions().model_dump(mode="json")[option]
    return "not set" if value in (None, "", []) else json.dumps(value).strip('"')


def _compact(value: JSONValue) -> str:
    return compact(value).decode()


def _pretty(value: JSONValue) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
