"""The webhook address: the challenge, signed updates, and nothing stored twice."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from flows_endpoint.models import ExchangeRow
from flows_endpoint.whatsapp_flows import update_work, updates
from flows_endpoint.whatsapp_flows.models import WebhookUpdate
from tenants import at_rest, lifecycle
from tenants.actors import Actor
from tests.flows_endpoint.whatsapp_flows.conftest import MakePhone
from tests.flows_endpoint.whatsapp_flows.platform import Phone, business_rows, opened_json

pytestmark = pytest.mark.django_db


def _query(phone: Phone, **changes: str) -> dict[str, str]:
    query = {
        "hub.mode": "subscribe",
        "hub.verify_token": phone.verify_token,
        "hub.challenge": "1158201444",
    }
    return query | {f"hub.{name}": value for name, value in changes.items()}


def test_the_challenge_is_echoed(phone: Phone) -> None:
    response = phone.http.get(phone.webhook_path, _query(phone))
    assert response.status_code == 200
    assert response.content == b"1158201444"
    assert response.headers["Content-Type"] == "text/plain"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    row = ExchangeRow.objects.get()
    assert (row.operation, row.key_versions) == ("webhook_challenge", "verify_token v1")


def test_both_verify_tokens_pass_during_the_overlap(phone: Phone, actor: Actor) -> None:
    new = lifecycle.generate_key(actor, phone.flow, "verify_token")
    lifecycle.promote_key(actor, new.key)
    for token in (phone.verify_token, new.secret):
        query = _query(phone, verify_token=token)
        assert phone.http.get(phone.webhook_path, query).status_code == 200


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"verify_token": "wrong"}, 403),
        ({"verify_token": ""}, 403),
        ({"verify_token": "😀"}, 403),
        ({"mode": "unsubscribe"}, 400),
        ({"challenge": ""}, 400),
        ({"challenge": "<script>alert(1)</script>\n"}, 400),
        ({"challenge": "x" * 257}, 400),
    ],
)
def test_a_wrong_challenge_is_refused(phone: Phone, changes: dict[str, str], status: int) -> None:
    response = phone.http.get(phone.webhook_path, _query(phone, **changes))
    assert (response.status_code, response.content) == (status, b"")


@pytest.mark.parametrize("query", ["", "hub.mode=subscribe", "%ff=%ff&hub.mode=%00", "&&==&"])
def test_a_challenge_without_its_parts_is_refused(phone: Phone, query: str) -> None:
    response = phone.http.get(f"{phone.webhook_path}?{query}")
    assert response.status_code in (400, 403)
    assert response.content == b""


@pytest.mark.parametrize("method", ["put", "patch", "delete", "head", "options", "trace"])
def test_another_method_is_refused(phone: Phone, method: str) -> None:
    response = getattr(phone.http, method)(phone.webhook_path)
    assert (response.status_code, response.content) == (405, b"")
    assert response.headers["Allow"] == "GET, POST"


def _entry(*changes: Any, **members: Any) -> dict[str, Any]:
    return {"id": "1001", "time": 1767348930, "changes": list(changes), **members}


def _delivery(*entries: Any) -> dict[str, Any]:
    return {"object": "whatsapp_business_account", "entry": list(entries)}


STATUS = {"field": "flows", "value": {"event": "FLOW_STATUS_CHANGE", "flow_id": "2"}}
MESSAGE = {
    "field": "messages",
    "value": {
        "messages": [
            {
                "from": "15550001111",
                "id": "wamid.A",
                "interactive": {
                    "type": "nfm_reply",
                    "nfm_reply": {"response_json": '{"flow_token":"ft-1","name":"Zoë"}'},
                },
            }
        ]
    },
}


def test_each_change_is_stored_sealed(phone: Phone) -> None:
    response = phone.deliver(_delivery(_entry(STATUS, MESSAGE)))
    assert (response.status_code, response.content) == (200, b"")
    assert "Content-Type" not in response.headers
    rows = {row.kind: row for row in WebhookUpdate.objects.all()}
    assert set(rows) == {"flows", "messages"}
    entry = {"id": "1001", "time": 1767348930}
    assert opened_json(rows["flows"]) == {"entry": entry, "change": STATUS}
    assert opened_json(rows["messages"]) == {"entry": entry, "change": MESSAGE}
    assert all(row.flow_id == phone.flow.pk for row in rows.values())
    assert b"15550001111" not in bytes(rows["messages"].body)
    logged = ExchangeRow.objects.get()
    assert (logged.operation, logged.outcome) == ("webhook_updates", "ok")
    assert logged.key_versions == "app_secret v1"


def test_a_repetition_is_acknowledged_and_not_stored(phone: Phone, make_phone: MakePhone) -> None:
    first = _delivery(_entry(STATUS))
    assert phone.deliver(first).status_code == 200
    assert phone.deliver(first).status_code == 200
    # Delivered again together with something new.
    assert phone.deliver(_delivery(_entry(STATUS, MESSAGE, MESSAGE))).status_code == 200
    assert WebhookUpdate.objects.count() == 2
    # The same words at another time are another event.
    assert phone.deliver(_delivery(_entry(STATUS, time=1767348931))).status_code == 200
    assert WebhookUpdate.objects.count() == 3
    # Another flow has its own.
    assert make_phone().deliver(first).status_code == 200
    assert WebhookUpdate.objects.count() == 4


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        "text",
        None,
        {"entry": {}},
        {"entry": []},
        {"entry": [1]},
        {"entry": [{"id": "1"}]},
        {"entry": [{"changes": {}}]},
        {"entry": [{"changes": [1]}]},
        {"entry": [{"changes": [{"field": "flows"}]}]},
        {"entry": [{"changes": [{"field": 1, "value": {}}]}]},
        {"entry": [_entry(STATUS), {"changes": None}]},
    ],
)
def test_signed_json_of_another_form_is_kept_whole(phone: Phone, value: Any) -> None:
    assert phone.deliver(value).status_code == 200
    row = WebhookUpdate.objects.get()
    assert row.kind == "other"
    assert opened_json(row) == value


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"\xff\xfe", b'{"a":"\\ud83d"}', b'{"a":1,"a":2}', b"[" * 2000, b"\x00"]
)
def test_signed_bytes_that_are_not_json_are_kept_whole(phone: Phone, raw: bytes) -> None:
    assert phone.deliver(raw).status_code == 200
    row = WebhookUpdate.objects.get()
    assert row.kind == "unreadable"
    assert at_rest.open_sealed(row.body, row.at_rest_context) == raw


@pytest.mark.parametrize("field", ["unreadable", "new_field", "", "x" * 5000, "a\x00b"])
def test_a_field_we_do_not_know_is_other(phone: Phone, field: str) -> None:
    change = {"field": field, "value": {}}
    assert phone.deliver(_delivery(_entry(change))).status_code == 200
    row = WebhookUpdate.objects.get()
    assert row.kind == "other"
    assert opened_json(row)["change"] == change


def test_a_thousand_updates_are_stored_at_the_cost_of_few_queries(phone: Phone) -> None:
    changes = [{"field": "messages", "value": number} for number in range(1000)]
    phone.deliver({})
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert phone.deliver(_delivery(_entry(*changes))).status_code == 200
    assert WebhookUpdate.objects.count() == 1001
    # SQLite takes some hundred rows in a statement, PostgreSQL all of them.
    stored = [query for query in queries if WebhookUpdate._meta.db_table in query["sql"]]
    assert len(stored) <= 10
    more = [*changes, {"field": "messages", "value": 1000}]
    assert phone.deliver(_delivery(_entry(*more))).status_code == 200
    assert WebhookUpdate.objects.count() == 1002
    assert WebhookUpdate.objects.filter(kind="other").count() == 2


@pytest.mark.parametrize(
    "around",
    [
        {"id": "x" * 100_000},
        {"id": {"a": "x" * 100_000}},
        {"id": ["1"] * 10_000},
        {"time": 10**4000},
        {"time": "9" * 100_000},
        {"id": None},
    ],
)
def test_an_entry_is_not_copied_beside_each_of_its_changes(
    phone: Phone, around: dict[str, Any]
) -> None:
    value = _delivery(_entry(*[STATUS] * 300) | around)
    raw = json.dumps(value).encode()
    assert phone.deliver(raw).status_code == 200
    update_work.process_due(20)  # which splits large ones
    row = WebhookUpdate.objects.get()
    assert row.kind == "other"
    assert at_rest.open_sealed(row.body, row.at_rest_context) == raw


def test_three_megabytes_are_taken_and_no_more(phone: Phone) -> None:
    limit = 3 * 1024 * 1024
    body = b'{"entry":[]}'
    body += b" " * (limit - len(body))
    assert phone.deliver(body).status_code == 200
    before = business_rows()
    response = phone.deliver(body + b" ")
    assert (response.status_code, response.content) == (413, b"")
    assert business_rows() == before


@pytest.mark.parametrize(
    "signature",
    ["sha256=" + "0" * 64, "sha256=", "garbage", "sha1=" + "0" * 40, "sha256=" + "é" * 64],
)
def test_an_unsigned_update_is_not_stored(phone: Phone, signature: str) -> None:
    before = business_rows()
    response = phone.deliver(_delivery(_entry(STATUS)), signature)
    assert (response.status_code, response.content) == (403, b"")
    missing = phone.http.post(phone.webhook_path, data=b"{}", content_type="application/json")
    assert (missing.status_code, missing.content) == (403, b"")
    assert business_rows() == before


def test_an_unknown_address_is_refused(phone: Phone) -> None:
    phone.webhook_path = "/whatsapp/webhook/nobody"
    assert phone.deliver({}).status_code == 404
    assert phone.http.get(phone.webhook_path, _query(phone)).status_code == 404


def test_the_backend_has_no_part_in_it(scripted: MakePhone) -> None:
    phone = scripted()
    assert phone.deliver(_delivery(_entry(STATUS))).status_code == 200
    assert phone.http.get(phone.webhook_path, _query(phone)).status_code == 200
    assert WebhookUpdate.objects.count() == 1


def test_an_update_that_cannot_be_stored_is_not_acknowledged(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(updates, "_split", fail)
    response = phone.deliver(_delivery(_entry(STATUS)))
    assert (response.status_code, response.content) == (500, b"")


def test_the_stored_text_is_the_signed_content(phone: Phone) -> None:
    raw = json.dumps(_delivery(_entry(MESSAGE))).replace("/", "\\/").encode()
    assert phone.deliver(raw).status_code == 200
    assert opened_json(WebhookUpdate.objects.get())["change"] == MESSAGE
