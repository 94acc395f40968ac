"""The JavaScript in the partners' pages works as it stands there, on Node's own modules."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from callbacks.signing import headers as signed_headers
from crypto_schemes import base64_text, citcall, flynn, isu, kairos, whatsapp_flows
from crypto_schemes.ciphers import rsa
from crypto_schemes.envelope import SealedReply, SealedRequest
from crypto_schemes.flynn.opening import FLYNN_RSA, open_values
from crypto_schemes.kairos import authenticate
from crypto_schemes.keys import Credentials, KeyVersion
from crypto_schemes.scheme import CALLBACK_SIGNING, Scheme
from flows_endpoint.callback_example import DEMO_BODY, DEMO_ID, DEMO_SECRET
from tests.support import services
from tests.support.test_keys import committed_rsa_key

pytestmark = [pytest.mark.interop, pytest.mark.once]
PAGES = Path(__file__).resolve().parents[2] / "docs" / "protocols"
FENCE = re.compile(r"^```js\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SIGNED_PAGES = ("kairos", "citcall", "isu", "whatsapp_flows")


def run(page: str, then: str, given: Any) -> Any:
    """Return what ``then`` returns after the code of a page, with ``given`` at hand."""
    code = "\n".join(FENCE.findall((PAGES / f"{page}.md").read_text("utf-8")))
    asked = f"const given = {json.dumps(given)};\nconsole.log(JSON.stringify({then}));"
    done = subprocess.run(
        [services.require_program("node"), "--input-type=commonjs", "-"],
        input=f'"use strict";\n{code}\n{asked}',
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def held(identity: dict[str, str], **secrets: Any) -> Credentials:
    return Credentials(
        identity, {name: (KeyVersion(name, name, 1, value),) for name, value in secrets.items()}
    )


def reply_to(scheme: Scheme[Any], sent: SealedRequest, keys: Credentials, options: Any) -> str:
    now = time.time()
    opened = scheme.open_request(sent, keys, options, now=now)
    answer: SealedReply = scheme.seal_reply({"said": "Zoë"}, opened, keys, options, now=now)
    return answer.body.decode()


def test_kairos() -> None:
    key = committed_rsa_key(2048)
    keys = held({"flow_id": "Demo7Kai"}, kairos_rsa=key, security_id="d3" * 32)
    request = {"flow-id": "Demo7Kai", "security-id": "d3" * 32, "text": "Zoë"}
    given = {"request": request, "pem": rsa.public_pem(key)}
    made = run("kairos", "seal(given.request, given.pem)", given)
    sent = SealedRequest(json.dumps(made).encode())
    opened = kairos.SCHEME.open_request(sent, keys, kairos.KairosOptions(), now=0)
    assert authenticate(opened, keys).payload == request


def test_citcall() -> None:
    userid, api_key = "partner-1", "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
    keys, options = held({"userid": userid}, api_key=api_key), citcall.CitCallOptions()
    given = {"value": {"msisdn": "Zoë \U0001f600", "gateway": 1}, "id": userid, "key": api_key}
    data = run("citcall", "seal(given.value, given.id, given.key)", given)
    bare = base64_text.encode(f"{userid}:{api_key}".encode())
    sent = SealedRequest(json.dumps({"data": data}).encode(), {"authorization": bare})
    opened = citcall.SCHEME.open_request(sent, keys, options, now=time.time())
    assert opened.payload == given["value"]
    given["data"] = json.loads(reply_to(citcall.SCHEME, sent, keys, options))["data"]
    assert run("citcall", "open(given.data, given.id, given.key)", given) == {"said": "Zoë"}


def test_isu() -> None:
    key, options = bytes(range(32)), isu.IsuOptions()
    keys = held({"client_id": "me"}, pass_key="pass", client_secret="secret", isu_aes=key)
    text = base64_text.encode(key)
    secrets = {"client_id": "me", "client_secret": "secret", "epoch": str(int(time.time()))}
    given = {"secrets": secrets, "value": {"name": "Zoë"}, "key": text}
    made = run("isu", "[seal(given.secrets, given.key), seal(given.value, given.key)]", given)
    sent = SealedRequest(
        json.dumps({"RequestData": made[1]}).encode(),
        {"pass_key": "pass", "header_secrets": made[0]},
    )
    assert isu.SCHEME.open_request(sent, keys, options, now=time.time()).payload == given["value"]
    given["sealed"] = json.loads(reply_to(isu.SCHEME, sent, keys, options))["ResponseData"]
    assert run("isu", "open(given.sealed, given.key)", given) == {"said": "Zoë"}


def test_whatsapp_flows() -> None:
    key, options = committed_rsa_key(2048), whatsapp_flows.WhatsAppFlowsOptions()
    keys = held({}, app_secret="secret", whatsapp_rsa=key)
    given: dict[str, Any] = {"step": {"version": "3.0", "action": "ping"}}
    given |= {"pem": rsa.public_pem(key), "secret": "secret"}
    sealing = "(made => ({...made, key: made.key.toString('hex'), iv: made.iv.toString('hex')}))"
    made = run("whatsapp_flows", f"{sealing}(seal(given.step, given.pem, given.secret))", given)
    assert made["headers"].pop("Content-Type") == "application/json"
    sent = SealedRequest(
        made["body"].encode(), {name.lower(): text for name, text in made["headers"].items()}
    )
    opened = whatsapp_flows.SCHEME.open_request(sent, keys, options, now=time.time())
    assert opened.payload == given["step"]
    given |= {"text": reply_to(whatsapp_flows.SCHEME, sent, keys, options), "made": made}
    unhexed = "{key: Buffer.from(given.made.key, 'hex'), iv: Buffer.from(given.made.iv, 'hex')}"
    assert run("whatsapp_flows", f"open(given.text, {unhexed})", given) == {"said": "Zoë"}


@pytest.mark.parametrize("mode", ["ECB", "CBC"])
def test_flynn(mode: str) -> None:
    key = committed_rsa_key(2048)
    keys = held({}, **{FLYNN_RSA: key})
    given = {
        "rek": bytes(range(32)).hex(),
        "iv": bytes(range(16)).hex(),
        "pem": rsa.public_pem(key),
    }
    iv = "Buffer.from(given.iv, 'hex')" if mode == "CBC" else "null"
    made = run(
        "flynn",
        "[wrap(given.rek, given.pem), wrap(Buffer.from(given.iv, 'hex'), given.pem),"
        f" encrypt('Zoë', Buffer.from(given.rek, 'hex'), {iv})]",
        given,
    )
    headers = {"x-flynn-s-rek": made[0], "x-flynn-s-data": made[2]}
    if mode == "CBC":
        headers |= {"x-flynn-n-aes-encryption-mode": "CBC", "x-flynn-s-iv": made[1]}
    assert open_values(headers, keys, flynn.FlynnOptions()).texts == {"data": "Zoë"}


@pytest.mark.parametrize("page", SIGNED_PAGES)
def test_the_signature_of_a_callback(page: str) -> None:
    keys = held({}, **{CALLBACK_SIGNING.name: DEMO_SECRET})
    now = int(time.time())
    right = signed_headers(keys, DEMO_ID, now, DEMO_BODY)
    other = held({}, **{CALLBACK_SIGNING.name: "whsec_" + "A" * 32})
    signature = right["webhook-signature"]
    wrong = signed_headers(other, DEMO_ID, now, DEMO_BODY)["webhook-signature"]
    old = signed_headers(keys, DEMO_ID, now - 400, DEMO_BODY)
    cases: list[tuple[dict[str, str], bool]] = [
        (right, True),
        ({**right, "webhook-signature": f"{wrong} {signature}"}, True),
        ({**right, "webhook-signature": wrong}, False),
        ({**right, "webhook-signature": "v1,"}, False),
        ({**right, "webhook-id": "other"}, False),
        (old, False),
        ({}, False),
    ]
    given = {"body": DEMO_BODY.decode(), "secret": DEMO_SECRET, "cases": [had for had, _ in cases]}
    check = "(headers) => verify(given.secret, headers, Buffer.from(given.body))"
    checked = run(page, f"given.cases.map({check})", given)
    assert checked == [fits for _, fits in cases]
