"""A request to each contract, well and badly made, full of marked personal data."""

from __future__ import annotations

import json
from typing import Any

import urllib3

from crypto_schemes.ciphers import mac
from tests.support.partner import Partner

PHONE = "081298765432"
NAME = "Marigold Undisclosed"


def send_some(flows: dict[str, dict[str, Any]], url: str) -> None:
    """Be a partner of each contract once; ``flows`` are what ``provision`` printed, by contract."""
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
