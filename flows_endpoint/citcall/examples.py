"""Examples for the partner page and the OpenAPI document, made by running the code.

They use the documented demo keys, no database, and for the page a fixed time, so that it
shows the same bytes whenever it is made. Those of the OpenAPI document carry the time at
which the document is made, so that they open.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any, Final

from crypto_schemes.ciphers import additive
from crypto_schemes.citcall import (
    API_KEY,
    SCHEME,
    USERID,
    AuthorizationForm,
    CitCallOptions,
    format_authorization,
)
from crypto_schemes.envelope import OpenedRequest, SealedRequest
from crypto_schemes.keys import Credentials, KeyVersion
from flows_endpoint.callback_example import signature_example
from flows_endpoint.citcall.errors import MEANINGS, Rc
from flows_endpoint.citcall.findings import FINDINGS
from flows_endpoint.citcall.sandbox import OUTCOMES, TRIAL_ENDINGS, callback
from flows_endpoint.findings import findings_table
from flows_endpoint.markdown import fenced, table

DEMO_USERID: Final = "demo-partner"
DEMO_API_KEY: Final = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
#: 2024-01-01 12:00:00 UTC
PAGE_TIME: Final = 1_704_110_400
_TRXID: Final = "20240101190000314159265358"
_TOKEN: Final = "02150800042"

REQUEST: Final[dict[str, Any]] = {
    "msisdn": "081200000001",
    "gateway": 1,
    "clientUniqueId": "order-1001",
}
REPLY: Final[dict[str, Any]] = {
    "rc": Rc.SUCCESS.value,
    "info": MEANINGS[Rc.SUCCESS].info,
    "trxid": _TRXID,
    "msisdn": "+6281200000001",
    "token": _TOKEN,
    "gateway": 1,
    "clientUniqueId": "order-1001",
}
FAILURE: Final[dict[str, Any]] = {
    "rc": Rc.NOT_AUTHORIZED.value,
    "info": MEANINGS[Rc.NOT_AUTHORIZED].info,
}
CALLBACK: Final[dict[str, Any]] = callback(_TRXID, REPLY, OUTCOMES[0][1])

_OPTIONS: Final = CitCallOptions()
_CREDENTIALS: Final = Credentials(
    {USERID: DEMO_USERID}, {API_KEY: (KeyVersion("demo", API_KEY, 1, DEMO_API_KEY),)}
)


@dataclass(frozen=True, slots=True)
class Sealed:
    """One request, its reply and its callback as they travel, made at one moment."""

    request: SealedRequest
    opened: OpenedRequest
    reply: dict[str, str]
    callback: dict[str, str]


def sealed(now: float) -> Sealed:
    """Return the messages of the demo partner, sealed at Unix time ``now``."""
    request = SCHEME.seal_request(REQUEST, _CREDENTIALS, _OPTIONS, now=now)
    opened = SCHEME.open_request(request, _CREDENTIALS, _OPTIONS, now=now)
    reply = SCHEME.seal_reply(REPLY, opened, _CREDENTIALS, _OPTIONS, now=now)
    ended = SCHEME.seal_callback(CALLBACK, _CREDENTIALS, _OPTIONS, now=now)
    return Sealed(request, opened, json.loads(reply.body), json.loads(ended.body))


def data_of(request: SealedRequest) -> str:
    """Return the member ``data`` of a sealed request."""
    return str(json.loads(request.body)["data"])


def render() -> dict[str, str]:
    """Return the blocks of docs/protocols/citcall.md by name, as Markdown."""
    made = sealed(PAGE_TIME)
    return {
        "keys": table(
            ("name", "value"),
            (("userid", DEMO_USERID), ("api_key", DEMO_API_KEY)),
            code=2,
        ),
        "authorization": table(
            ("form", "header"),
            [
                (form.value, f"Authorization: {_header(form)}")
                for form in (
                    AuthorizationForm.BARE,
                    AuthorizationForm.BASIC,
                    AuthorizationForm.API_KEY,
                )
            ],
            code=2,
        ),
        "steps": _steps(made),
        "request": fenced(
            "http",
            "POST /v2/asynccall HTTP/1.1\n"
            f"Authorization: {made.request.headers['authorization']}\n"
            "Content-Type: application/json\n\n" + made.request.body.decode(),
        ),
        "reply": fenced("json", _compact(made.reply)),
        "reply-opened": fenced("json", json.dumps(REPLY, indent=2)),
        "failure": fenced("json", _compact(FAILURE)),
        "callback": fenced("json", _compact(made.callback)),
        "callback-opened": fenced("json", json.dumps(CALLBACK, indent=2)),
        "outcomes": table(
            ("dial_code", "dial_status", "call_status", "result", "rc"),
            [
                tuple(str(body[name]) for name in _OUTCOME_MEMBERS)
                for body in (callback(_TRXID, REPLY, outcome) for _, outcome in OUTCOMES)
            ],
            code=2,
        ),
        "trial-numbers": table(
            ("last four digits", "dial_status", "call_status"),
            [(end, had.dial_status, had.call_status) for end, had in TRIAL_ENDINGS.items()],
            code=1,
        ),
        "errors": table(
            ("rc", "info", "cause", "what to do"),
            [(rc, text.info, text.cause, text.fix) for rc, text in MEANINGS.items()],
            code=1,
        ),
        "findings": findings_table(FINDINGS),
        "signature": signature_example(),
        "options": table(
            ("option", "default", "what it does"),
            [
                (name, str(CitCallOptions.model_fields[name].default), _help(name))
                for name in ("max_skew", "reply_trxid", "callback_body")
            ],
            code=2,
        ),
    }


_OUTCOME_MEMBERS: Final = ("dial_code", "dial_status", "call_status", "result", "rc")


def _header(form: AuthorizationForm) -> str:
    return format_authorization(DEMO_USERID, DEMO_API_KEY, form)


def _help(option: str) -> str:
    return CitCallOptions.model_fields[option].description or ""


def _steps(made: Sealed) -> str:
    """Show each intermediate form of the request's ``data``."""
    stamped = f"{str(PAGE_TIME)[::-1]}.".encode() + made.opened.raw
    by_userid = additive.add(stamped, DEMO_USERID.encode())
    by_both = additive.add(by_userid, DEMO_API_KEY.encode())
    return fenced(
        "text",
        "\n".join(
            (
                f"1 compact JSON      {made.opened.raw.decode()}",
                f"2 Unix time         {PAGE_TIME}, backwards {str(PAGE_TIME)[::-1]}",
                f"3 text              {stamped.decode()}",
                f"4 userid added      {by_userid.hex()}",
                f"5 API key added     {by_both.hex()}",
                f"6 base64url         {base64.urlsafe_b64encode(by_both).rstrip(b'=').decode()}",
            )
        ),
    )


def _compact(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))
