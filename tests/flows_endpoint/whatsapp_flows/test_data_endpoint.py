"""The data endpoint by itself: health checks, headers, the log, who may call."""

from __future__ import annotations

import hashlib

import pytest
from django.test import Client as HttpClient

from flows_endpoint.models import ExchangeRow
from tenants import lifecycle
from tenants.actors import Actor
from tenants.models import Key
from tests.flows_endpoint.whatsapp_flows.conftest import MakePhone, calls
from tests.flows_endpoint.whatsapp_flows.platform import Phone, business_rows

pytestmark = pytest.mark.django_db
PING = {"version": "3.0", "action": "ping"}


@pytest.mark.parametrize("version", ["3.0", "4.0"])
def test_a_health_check_is_answered(phone: Phone, version: str) -> None:
    before = business_rows()
    reply = phone.send({"version": version, "action": "ping"})
    assert reply.status == 200
    assert reply.content_type == "text/plain"
    assert reply.value == {"data": {"status": "active"}}
    assert business_rows() == before


def test_a_health_check_needs_neither_backend_nor_token_signature(scripted: MakePhone) -> None:
    phone = scripted(options={"require_token_signature": True})
    assert phone.send(PING).value == {"data": {"status": "active"}}
    assert calls() == []


def test_the_exchange_is_logged_with_the_keys_that_opened_it(phone: Phone) -> None:
    sent = phone.seal(PING)
    response = phone.post(sent.body)
    row = ExchangeRow.objects.get()
    assert row.flow_id == phone.flow.pk
    assert row.scheme == "whatsapp_flows"
    assert row.operation == "ping"
    assert (row.outcome, row.reason, row.step, row.http_status) == ("ok", "", "", 200)
    assert row.key_versions == "app_secret v1, whatsapp_rsa v1"
    assert row.request_size == len(sent.body)
    assert row.request_digest == hashlib.sha256(sent.body).hexdigest()
    assert row.request_id == response.headers["X-Request-Id"]
    used = dict(Key.objects.filter(use_count=1).values_list("purpose", "version"))
    assert used == {"app_secret": 1, "whatsapp_rsa": 1}


@pytest.mark.parametrize(
    ("payload", "operation"),
    [
        ({"version": "3.0", "action": "INIT"}, "INIT"),
        ({"version": "3.0", "action": "BACK", "screen": "DETAILS"}, "BACK"),
        ({"version": "3.0", "action": "data_exchange", "screen": "DETAILS"}, "data_exchange"),
        (
            {"version": "3.0", "action": "navigate", "data": {"error": "e", "error_message": "m"}},
            "error_notification",
        ),
    ],
)
def test_the_log_names_the_action(phone: Phone, payload: dict[str, object], operation: str) -> None:
    assert phone.send(payload).status == 200
    assert ExchangeRow.objects.get().operation == operation


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "head", "options", "trace"])
def test_another_method_is_refused(phone: Phone, method: str) -> None:
    response = getattr(phone.http, method)(phone.path)
    assert response.status_code == 405
    assert response.content == b""
    assert response.headers["Allow"] == "POST"
    assert ExchangeRow.objects.get().reason == "method"


def test_an_unknown_address_is_refused(phone: Phone, client: HttpClient) -> None:
    for address in ("nobody", "x" * 500, "%00", "%ED%A0%80", phone.flow.address.swapcase()):
        phone.path = f"/whatsapp/flows/{address}"
        response = phone.post(phone.seal(PING).body)
        assert (response.status_code, response.content) == (404, b"")


def test_a_flow_switched_off_is_refused(phone: Phone, actor: Actor) -> None:
    lifecycle.update_flow(actor, phone.flow, {"is_enabled": False})
    assert phone.send(PING).status == 404


def test_a_flow_of_another_contract_is_not_found(phone: Phone, make_flow: object) -> None:
    other = make_flow("citcall", address="partner01")  # type: ignore[operator]
    phone.path = f"/whatsapp/flows/{other.flow.address}"
    assert phone.post(phone.seal(PING).body).status_code == 404


def test_two_flows_do_not_open_each_others_requests(make_phone: MakePhone) -> None:
    first, second = make_phone(), make_phone()
    first.path, own = second.path, first.path
    assert first.send(PING).status == 432
    first.secret = second.secret
    assert first.post(first.seal(PING).body).status_code == 421
    first.path = own
    assert first.send(PING).status == 432


def test_an_allow_list_holds_where_an_administrator_sets_one(make_phone: MakePhone) -> None:
    phone = make_phone(allowed_networks=["203.0.113.0/24"])
    response = phone.post(phone.seal(PING).body)
    assert (response.status_code, response.content) == (403, b"")
    assert phone.post(phone.seal(PING).body, REMOTE_ADDR="203.0.113.9").status_code == 200


def test_many_requests_of_one_caller_are_all_served(phone: Phone) -> None:
    sent = phone.seal(PING)
    assert {phone.post(sent.body).status_code for _ in range(30)} == {200}
    assert {phone.post(b"{}").status_code for _ in range(30)} == {421}


def test_a_body_of_ten_megabytes_is_taken(phone: Phone) -> None:
    size = 10 * 1024 * 1024
    body = phone.seal(PING).body
    body += b" " * (size - len(body))
    assert phone.post(body).status_code == 200
    response = phone.post(body + b" ")
    assert (response.status_code, response.content) == (413, b"")


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data", "a/b", ""])
def test_the_content_type_does_not_matter(phone: Phone, content_type: str) -> None:
    sent = phone.seal(PING)
    headers = {"X-Hub-Signature-256": sent.headers["x-hub-signature-256"]}
    response = phone.http.generic("POST", phone.path, sent.body, content_type, headers=headers)
    assert response.status_code == 200
