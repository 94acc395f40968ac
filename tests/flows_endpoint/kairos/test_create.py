"""Placing calls, at all four addresses: the reply, and what is kept."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client as HttpClient

from callbacks.models import Delivery
from flows_endpoint.kairos.models import CallRequest, FlowStatus, OutboundCall
from flows_endpoint.models import ExchangeRow, ReplayMark, Timer
from tests.flows_endpoint.kairos.partner import (
    DIALER_PLAIN,
    DIALER_SEALED,
    PLAIN,
    SEALED,
    Partner,
    a_call,
)

pytestmark = pytest.mark.django_db
Make = Callable[..., Partner]


@pytest.mark.parametrize(
    ("path", "is_sealed", "is_dialer"),
    [
        (PLAIN, False, False),
        (SEALED, True, False),
        (DIALER_PLAIN, False, True),
        (DIALER_SEALED, True, True),
    ],
)
def test_each_address_accepts_calls(
    partner: Partner, path: str, is_sealed: bool, is_dialer: bool
) -> None:
    payload = partner.request(a_call("order-1"), a_call("order-2", "+910000000017"))
    reply = partner.post(path, partner.seal(payload) if is_sealed else payload)
    assert reply.status_code == 200
    assert reply["Content-Type"] == "application/json"
    answer = json.loads(reply.content)
    assert list(answer) == [
        "api-response-code",
        "api-response-message",
        "request-id",
        "call-details",
    ]
    request = CallRequest.objects.get()
    first, second = request.calls.order_by("position")
    assert answer == {
        "api-response-code": 200,
        "api-response-message": "Success",
        "request-id": str(request.pk),
        "call-details": [
            {"client-identifier": "order-1", "phonon-uuid": str(first.pk)},
            {"client-identifier": "order-2", "phonon-uuid": str(second.pk)},
        ],
    }
    assert list(answer["call-details"][0]) == ["client-identifier", "phonon-uuid"]
    assert (request.is_dialer, request.is_test, request.call_count) == (is_dialer, False, 2)
    assert first.status == FlowStatus.SCHEDULED
    assert first.start_at.isoformat() == "2030-01-23T02:32:53.311000+00:00"
    assert first.details() == {
        "client-identifier": "order-1",
        "start-time": "2030-01-23T08:02:53.311+05:30",
        "contact-numbers": ["910000000016"],
        "keys": [{"name": "$flow.key.Name", "value": "Zoë"}],
    }
    timers = Timer.objects.order_by("subject")
    assert [t.subject for t in timers] == sorted([str(first.pk), str(second.pk)])
    assert {t.due_at for t in timers} == {first.start_at}
    assert not Delivery.objects.exists()


def test_the_exchange_names_the_keys_and_nothing_else(partner: Partner) -> None:
    partner.sealed(partner.request())
    row = ExchangeRow.objects.get()
    assert (row.outcome, row.code, row.operation) == ("ok", "200", "enc.outbound.create")
    assert row.key_versions == "kairos_rsa v1, security_id v1"
    used = {key.purpose: key.use_count for key in partner.flow.keys.all()}
    unused = {"callback_signing": 0, "upstream_signing": 0}
    assert used == {"kairos_rsa": 1, "security_id": 1, **unused}


def test_500_calls_in_few_statements(
    partner: Partner, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    calls = [a_call(f"order-{at}") for at in range(500)]
    body = partner.seal(partner.request(*calls))
    with django_assert_max_num_queries(15):
        answer = json.loads(partner.post(SEALED, body).content)
    assert answer["api-response-code"] == 200
    assert [d["client-identifier"] for d in answer["call-details"]] == [
        f"order-{at}" for at in range(500)
    ]
    positions = OutboundCall.objects.order_by("position").values_list("position", flat=True)
    assert list(positions) == list(range(500))
    assert len({uuid.UUID(d["phonon-uuid"]) for d in answer["call-details"]}) == 500


def test_calls_without_a_valid_number_are_left_out(partner: Partner) -> None:
    answer = partner.sealed(
        partner.request(
            a_call("bad", "12", "+", "91 00 00"),
            a_call("good", "12", "+910000000016", "910000000018"),
            a_call("typed", **{"contact-numbers": [910000000016, None, {}, ["9"]]}),
        )
    )
    assert (answer["api-response-code"], answer["api-response-message"]) == (209, "Partial Success")
    assert [d["client-identifier"] for d in answer["call-details"]] == ["good"]
    call = OutboundCall.objects.get()
    assert call.request.call_count == 1
    assert call.details()["contact-numbers"] == ["+910000000016", "910000000018"]
    assert Timer.objects.count() == 1


@pytest.mark.parametrize("keys", [None, [], [{"name": "a", "value": None}]], ids=repr)
def test_keys_are_optional(partner: Partner, keys: Any) -> None:
    call = a_call()
    if keys is None:
        del call["keys"]
    else:
        call["keys"] = keys
    assert partner.sealed(partner.request(call))["api-response-code"] == 200
    assert OutboundCall.objects.get().details()["keys"] == (keys or [])


def test_unknown_members_are_ignored(partner: Partner) -> None:
    payload = partner.request(a_call(colour="blue"), extra={"deep": [1]})
    assert partner.sealed(payload)["api-response-code"] == 200
    assert "colour" not in OutboundCall.objects.get().details()


@pytest.mark.parametrize(
    ("start", "utc"),
    [
        ("2030-01-23T08:02:53.311+05:30", "2030-01-23T02:32:53.311000+00:00"),
        ("2030-01-23T08:02:53Z", "2030-01-23T08:02:53+00:00"),
        ("2030-01-23T08:02Z", "2030-01-23T08:02:00+00:00"),
        ("2030-01-23T08:02:53.123456789-0330", "2030-01-23T11:32:53.123456+00:00"),
        ("2030-01-23T00:00:00+14:00", "2030-01-22T10:00:00+00:00"),
    ],
)
def test_start_times_with_any_offset(partner: Partner, start: str, utc: str) -> None:
    answer = partner.plain(partner.request(a_call(**{"start-time": start})))
    assert answer["api-response-code"] == 200
    assert OutboundCall.objects.get().start_at.isoformat() == utc


def test_the_body_may_hold_what_a_text_column_may_not(partner: Partner) -> None:
    call = a_call("nul\x00 and \U0001f600", keys=[{"name": "\x00", "value": 10**400}])
    answer = partner.sealed(partner.request(call))
    assert answer["call-details"][0]["client-identifier"] == "nul\x00 and \U0001f600"


def test_nothing_sent_stands_in_clear_in_the_database(partner: Partner) -> None:
    partner.sealed(partner.request(a_call("secret-order", "918887776665")))
    for table in (CallRequest, OutboundCall, Timer, ReplayMark, ExchangeRow):
        for row in table._default_manager.values():
            for value in row.values():
                raw = bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
                assert b"8887776665" not in raw
                assert b"secret-order" not in raw
                assert b"Zo" not in raw or isinstance(value, bytes | memoryview)


@pytest.mark.parametrize("padding", ["oaep_sha1", "oaep_sha256"])
def test_other_paddings(make_partner: Make, padding: str) -> None:
    partner = make_partner(options={"rsa_padding": padding})
    assert partner.sealed(partner.request())["api-response-code"] == 200


def test_4096_bits_are_the_default(client: HttpClient, make_flow: Callable[..., Any]) -> None:
    partner = Partner(client, make_flow("kairos", address="Kx92LmQ7"))
    assert partner.flow_id == "Kx92LmQ7"
    body = json.loads(partner.seal(partner.request()))
    assert len(body["requestDigitalSignatureValue"]) == 684
    assert partner.sealed(partner.request())["api-response-code"] == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "application/json; charset=utf-8",
        "text/plain",
        "text/json",
        "application/vnd.api+json",
        "application/octet-stream",
        "Application/JSON",
    ],
)
def test_content_types_a_json_body_comes_under(partner: Partner, content_type: str) -> None:
    reply = partner.post(PLAIN, partner.request(), content_type=content_type)
    assert json.loads(reply.content)["api-response-code"] == 200


def test_line_breaks_in_the_envelope(partner: Partner) -> None:
    envelope = json.loads(partner.seal(partner.request()))
    folded = {
        name: "\r\n".join(text[at : at + 64] for at in range(0, len(text), 64))
        for name, text in envelope.items()
    }
    assert json.loads(partner.post(SEALED, folded).content)["api-response-code"] == 200
