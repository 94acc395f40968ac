"""After traffic in clear and in error, no secret and no plaintext lies in files or logs."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import urllib3

from crypto_schemes.ciphers import mac
from tests.support import product
from tests.support.partner import Partner
from tests.support.product import Product
from tests.support.receiver import Receiver

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(180)]

PHONE = "081298765432"
NAME = "Marigold Undisclosed"


def test_files_and_logs_hold_no_secret_and_no_plaintext(tmp_path: Path) -> None:
    with Receiver() as receiver:
        copy = product.start(tmp_path / "copy")
        try:
            flows = {
                scheme: copy.provision(
                    scheme,
                    *("--callback-url", receiver.url, "--callback-secret", "--upstream-secret"),
                )
                for scheme in ("kairos", "citcall", "isu", "whatsapp_flows", "flynn")
            }
            _traffic(flows, copy.url)
            tokens = {_hand_over(copy, flow) for flow in flows.values()}
            receiver.wait_for(2, seconds=60)
        finally:
            copy.stop()
    needles = tokens | {
        PHONE,
        PHONE[1:],
        NAME,
        copy.environment["SEALGATE_MASTER_KEYS"].split(":")[1],
    }
    for flow in flows.values():
        for name, value in flow["credentials"].items():
            if name not in ("flow_id", "userid", "client_id", "org_id", "handle", "gstin"):
                needles.add(value)
    needles = {needle for needle in needles if not needle.startswith(("-----BEGIN", "portal-"))}
    forms = {form for needle in needles for form in _forms(needle)}
    places = [path for path in copy.var.rglob("*") if path.is_file() and "static" not in path.parts]
    assert any(path.name == "sealgate.sqlite3" for path in places)
    assert copy.log in places
    # The search itself works: a public name is found.
    public = str(flows["citcall"]["credentials"]["userid"]).encode()
    assert any(public in path.read_bytes() for path in places)
    found = {
        (path.name, form[:6]) for path in places for form in forms if form in path.read_bytes()
    }
    assert found == set()


def _forms(needle: str) -> set[bytes]:
    needle = needle.removeprefix("whsec_")
    raw = needle.encode()
    forms = {raw, raw.hex().encode(), base64.b64encode(raw).rstrip(b"=")}
    with suppress(ValueError):
        forms.add(base64.b64decode(needle, validate=True))
    return {form for form in forms if len(form) >= 8}


def _traffic(flows: dict[str, dict[str, Any]], url: str) -> None:
    kairos = Partner(flows["kairos"], url)
    order = {
        "api-version": "1.0",
        "security-id": kairos.bundle["security_id"],
        "flow-id": kairos.bundle["flow_id"],
        "calls": [
            {
                "client-identifier": "order-1",
                "start-time": "2024-01-01T10:00:00+05:30",
                "contact-numbers": ["91" + PHONE[1:]],
                "keys": [{"name": "$flow.key.Name", "value": NAME}],
            }
        ],
    }
    assert kairos.call(order)["api-response-code"] == 200
    assert kairos.call({**order, "security-id": "0" * 64})["api-response-code"] == 202
    citcall = Partner(flows["citcall"], url)
    assert citcall.call({"msisdn": PHONE, "gateway": 1})["rc"] == "00"
    assert citcall.call({"msisdn": PHONE, "gateway": 9})["rc"] == "06"
    isu = Partner(flows["isu"], url)
    paid = isu.call(
        {
            "beneName": NAME,
            "beneAccountNo": "00" + PHONE,
            "beneifsc": "HDFC0000001",
            "benePhoneNo": PHONE[1:].rjust(10, "9")[-10:],
            "beneBankName": "Bank",
            "clientReferenceNo": "SCAN0000000001",
            "amount": 100,
            "fundTransferType": "IMPS",
            "pincode": "751024",
            "custName": NAME,
            "custMobNo": PHONE[1:].rjust(10, "9")[-10:],
            "latlong": "20.1,85.1",
            "paramA": "",
            "paramB": "",
        }
    )
    assert paid["status"] in ("SUCCESS", "INPROGRESS", "FAILED", "REFUNDED")
    whatsapp = Partner(flows["whatsapp_flows"], url)
    started = {"version": "3.0", "action": "INIT", "screen": "", "data": {}, "flow_token": NAME}
    assert whatsapp.call(started)["screen"]
    _report(flows["whatsapp_flows"], url)
    flynn = Partner(flows["flynn"], url)
    status, _, _ = flynn.send(flynn.seal({"sensitive": {"data": NAME}}))
    assert status == 403


def _hand_over(copy: Product, flow: dict[str, Any]) -> str:
    """Have the credentials handed over by a link, try it twice, and return its token."""
    name = f"{flow['scheme']}/{flow['address']}"
    made = json.loads(copy.manage("key", "handover", "create", name, "--json").stdout)
    token: str = made["url"].partition("#")[2]
    for status in (200, 404):
        answer = urllib3.request(
            "POST",
            f"{copy.url}/handover/open",
            body=f"token={token}",
            headers={"Content-Type": "application/x-www-form-urlencoded"},
        )
        assert answer.status == status
    return token


def _report(flow: dict[str, Any], url: str) -> None:
    """Deliver an update of the messaging platform, in clear but signed."""
    message = {"from": PHONE, "text": {"body": NAME}}
    change = {"field": "messages", "value": {"messages": [message]}}
    body = json.dumps({"entry": [{"id": "1", "changes": [change]}]}).encode()
    secret: str = flow["credentials"]["app_secret"]
    for signature, status in ((mac.sha256(secret.encode(), body).hex(), 200), ("0" * 64, 403)):
        answer = urllib3.request(
            "POST",
            f"{url}/whatsapp/webhook/{flow['address']}",
            body=body,
            headers={"X-Hub-Signature-256": f"sha256={signature}"},
        )
        assert answer.status == status
