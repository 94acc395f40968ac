"""The stand-in keeps the documented rules: what it lets pass would pass for a lot otherwise."""

from __future__ import annotations

import copy
import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from crypto_schemes.ciphers import rsa
from tests.cloud_api import CloudApi
from tests.support.receiver import Receiver
from tests.support.test_keys import committed_rsa_key

NUMBER_ID = "106540352242922"
TEXT: dict[str, Any] = {
    "messaging_product": "whatsapp",
    "recipient_type": "individual",
    "to": "15550001111",
    "type": "text",
    "text": {"preview_url": False, "body": "Thank you."},
}
FLOW: dict[str, Any] = {
    "messaging_product": "whatsapp",
    "recipient_type": "individual",
    "to": "+15550001111",
    "type": "interactive",
    "interactive": {
        "type": "flow",
        "body": {"text": "Book."},
        "action": {
            "name": "flow",
            "parameters": {
                "flow_message_version": "3",
                "flow_id": "200000000000002",
                "flow_cta": "Book",
                "flow_token": "t",
                "flow_action": "navigate",
                "flow_action_payload": {"screen": "FIRST", "data": {"a": 1}},
            },
        },
    },
}


@pytest.fixture
def cloud() -> Iterator[CloudApi]:
    with CloudApi() as server:
        yield server


def ask(
    cloud: CloudApi,
    method: str,
    path: str,
    body: bytes = b"",
    *,
    token: str = "t",
    content_type: str = "application/json",
) -> tuple[int, Any]:
    parts = urlsplit(cloud.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    headers = {"Content-Type": content_type} | (
        {"Authorization": f"Bearer {token}"} if token else {}
    )
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, json.loads(text)


def send(cloud: CloudApi, body: Any, **more: Any) -> tuple[int, Any]:
    return ask(cloud, "POST", f"/v25.0/{NUMBER_ID}/messages", json.dumps(body).encode(), **more)


def changed(body: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a copy with the member at ``path`` set, or taken out where ``value`` is ``...``."""
    copied = copy.deepcopy(body)
    *way, last = path.split(".")
    inner = copied
    for name in way:
        inner = inner[name]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return copied


@pytest.mark.parametrize("body", [TEXT, FLOW, changed(TEXT, "text.body", "x" * 4096)])
def test_a_proper_message_is_taken(cloud: CloudApi, body: Any) -> None:
    status, said = send(cloud, body)
    assert status == 200
    assert said["messages"] == [{"id": cloud.messages[0].wamid}]
    assert cloud.messages[0].wamid.startswith("wamid.")
    assert cloud.messages[0].to == "15550001111"


PARAMETERS = "interactive.action.parameters"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ([], 100),
        (changed(TEXT, "messaging_product", ...), 100),
        (changed(TEXT, "messaging_product", "sms"), 100),
        (changed(TEXT, "recipient_type", "group"), 100),
        (changed(TEXT, "to", ...), 131008),
        (changed(TEXT, "recipient", "US.1"), 131008),
        (changed(TEXT, "to", "0155500"), 131009),
        (changed(TEXT, "to", 15550001111), 131009),
        (changed(changed(TEXT, "to", ...), "recipient", "us.1"), 131009),
        (changed(TEXT, "type", "image"), 100),
        (changed(TEXT, "text", ...), 131008),
        (changed(TEXT, "text.body", ""), 131009),
        (changed(TEXT, "text.body", "x" * 4097), 131009),
        (changed(TEXT, "text.preview_url", "no"), 100),
        (changed(TEXT, "biz_opaque_callback_data", "x" * 513), 100),
        (changed(FLOW, "interactive.type", "list"), 131009),
        (changed(FLOW, "interactive.body", ...), 131008),
        (changed(FLOW, "interactive.action.name", "form"), 131009),
        (changed(FLOW, f"{PARAMETERS}.flow_message_version", "2"), 131009),
        (changed(FLOW, f"{PARAMETERS}.flow_id", ...), 131009),
        (changed(FLOW, f"{PARAMETERS}.flow_cta", "x" * 31), 131009),
        (changed(FLOW, f"{PARAMETERS}.flow_cta", "Go \U0001f680"), 131009),
        (changed(FLOW, f"{PARAMETERS}.flow_token", ""), 131009),
        (changed(FLOW, f"{PARAMETERS}.flow_action", "data_exchange"), 131009),
        (changed(FLOW, f"{PARAMETERS}.flow_action_payload", ...), 131008),
        (changed(FLOW, f"{PARAMETERS}.flow_action_payload.data", {}), 131009),
    ],
)
def test_anything_else_is_refused(cloud: CloudApi, body: Any, code: int) -> None:
    status, said = send(cloud, body)
    assert (status, said["error"]["code"]) == (400, code)
    assert cloud.messages == []


def test_a_scoped_id_is_a_recipient(cloud: CloudApi) -> None:
    body = changed(changed(TEXT, "to", ...), "recipient", "US.13491208655302741918")
    assert send(cloud, body)[0] == 200


def test_tokens_open_their_own_numbers_only() -> None:
    with CloudApi(tokens={"mine": {NUMBER_ID}, "other": {"2"}}) as cloud:
        assert send(cloud, TEXT, token="mine")[0] == 200
        for token, status, code in (("", 401, 190), ("wrong", 401, 190), ("other", 403, 200)):
            answered, said = send(cloud, TEXT, token=token)
            assert (answered, said["error"]["code"]) == (status, code)
        assert len(cloud.messages) == 1


@pytest.mark.parametrize("path", [f"/{NUMBER_ID}/messages", "/v25.0/x/messages", "/v25.0/1/else"])
def test_other_addresses_are_refused(cloud: CloudApi, path: str) -> None:
    status, said = ask(cloud, "POST", path, json.dumps(TEXT).encode())
    assert (status, said["error"]["code"]) == (400, 100)


def test_a_key_is_a_form_with_a_pem(cloud: CloudApi) -> None:
    path, form = f"/v25.0/{NUMBER_ID}/whatsapp_business_encryption", "x-www-form-urlencoded"
    good = rsa.public_pem(committed_rsa_key(2048))
    big = rsa.public_pem(committed_rsa_key(4096))
    for pem, kind in (
        (good, "application/json"),
        ("", f"application/{form}"),
        ("nonsense", f"application/{form}"),
        (big, f"application/{form}"),
    ):
        body = urlencode({"business_public_key": pem}).encode()
        status, said = ask(cloud, "POST", path, body, content_type=kind)
        assert (status, said["error"]["code"]) == (400, 100)
    assert ask(cloud, "GET", path) == (200, {})
    body = urlencode({"business_public_key": good}).encode()
    answer = ask(cloud, "POST", path, body, content_type=f"application/{form}; charset=utf-8")
    assert answer == (200, {"success": True})
    flat = {"business_public_key": good, "business_public_key_signature_status": "VALID"}
    assert ask(cloud, "GET", path) == (200, flat)
    cloud.nested = True
    assert ask(cloud, "GET", path) == (200, {"data": [flat]})


def test_the_window_closes_after_a_day() -> None:
    now = [1_000_000.0]
    with CloudApi(keeps_window=True, clock=lambda: now[0]) as cloud:
        assert send(cloud, TEXT)[1]["error"]["code"] == 131047
        cloud.heard_from("15550001111")
        assert send(cloud, TEXT)[0] == 200
        now[0] += 24 * 3600
        assert send(cloud, TEXT)[1]["error"]["code"] == 131047


def test_it_fails_as_told(cloud: CloudApi) -> None:
    cloud.fail(131056, times=2)
    assert [send(cloud, TEXT)[0] for _ in range(3)] == [429, 429, 200]
    cloud.fail(131026, to="15550002222", times=None)
    other = changed(TEXT, "to", "+15550002222")
    assert [send(cloud, TEXT)[0], send(cloud, other)[0], send(cloud, other)[0]] == [200, 400, 400]
    cloud.forget()
    cloud.fail(2, times=None, share=0.5)
    answers = [send(cloud, TEXT)[0] for _ in range(60)]
    assert set(answers) == {200, 503}
    assert [seen.code for seen in cloud.seen].count(2) == answers.count(503)


def test_it_posts_signed_updates(cloud: CloudApi) -> None:
    with Receiver() as webhook:
        cloud.use_webhook(NUMBER_ID, f"{webhook.url}/whatsapp/webhook/a", "app-secret")
        wamid = send(cloud, FLOW)[1]["messages"][0]["id"]
        assert cloud.send_status(wamid, "sent", "delivered") == 200
        assert cloud.send_reply(wamid, {"name": "Zoë/1"}) == 200
        statuses, reply = webhook.wait_for(2)
        assert statuses.target == "/whatsapp/webhook/a"
        assert b"\\/" in reply.body
        assert statuses.headers["x-hub-signature-256"].startswith("sha256=")
        changes = json.loads(statuses.body)["entry"][0]["changes"]
        assert [c["value"]["statuses"][0]["status"] for c in changes] == ["sent", "delivered"]
        message = json.loads(reply.body)["entry"][0]["changes"][0]["value"]["messages"][0]
        assert message["context"]["id"] == wamid
        said = json.loads(message["interactive"]["nfm_reply"]["response_json"])
        assert said == {"flow_token": "t", "name": "Zoë/1"}


def test_it_can_be_told_by_http(cloud: CloudApi) -> None:
    told = {"code": 190, "times": 1}
    assert ask(cloud, "POST", "/_stand_in/fail", json.dumps(told).encode())[0] == 200
    assert send(cloud, TEXT)[0] == 401
    send(cloud, TEXT)
    shown = ask(cloud, "GET", "/_stand_in/messages")[1]["messages"]
    assert [message["to"] for message in shown] == ["15550001111"]
    assert ask(cloud, "POST", "/_stand_in/fail", b'{"no":1}')[0] == 400
    assert ask(cloud, "POST", "/_stand_in/nothing", b"{}")[0] == 404
