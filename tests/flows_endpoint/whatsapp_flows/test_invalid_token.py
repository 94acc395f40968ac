"""Status 427: the flow token is no longer valid, said by the sandbox or any other backend."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flows_endpoint.exchange import Reason, Refusal
from flows_endpoint.models import ExchangeRow
from tests.flows_endpoint.whatsapp_flows.conftest import MakePhone, calls
from tests.flows_endpoint.whatsapp_flows.platform import Phone, Reply, business_rows

pytestmark = pytest.mark.django_db


def test_an_expired_token_is_told_so(phone: Phone) -> None:
    before = business_rows()
    for action in ("INIT", "BACK", "data_exchange"):
        reply = phone.step("DETAILS", {}, token="expired-1", action=action)
        assert reply.status == 427
        assert reply.content_type == "text/plain"
        assert reply.value == {"error_msg": "This form has expired. Please ask for a new one."}
    assert business_rows() == before | {"SealMark": 3}
    row = ExchangeRow.objects.first()
    assert row is not None
    assert (row.outcome, row.reason, row.code) == ("refused", "business", "427")


def test_the_message_travels_plain_where_the_option_says_so(make_phone: MakePhone) -> None:
    phone = make_phone(options={"error_427_body": "plain"})
    reply = phone.step("DETAILS", {}, token="expired-1")
    assert reply.status == 427
    assert reply.content_type == "application/json"
    assert json.loads(reply.body) == reply.value
    assert reply.value == {"error_msg": "This form has expired. Please ask for a new one."}


def _refuse(code: Any, extra: Any = None) -> Any:
    def script(_: Any) -> Any:
        raise Refusal(Reason.BUSINESS, code, extra=extra)

    return script


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (lambda _: {"error_msg": "Closed since Monday."}, "Closed since Monday."),
        (_refuse(427, "Closed since Monday."), "Closed since Monday."),
        (_refuse("427", "Closed since Monday."), "Closed since Monday."),
        (_refuse(427), "This form is no longer available."),
        (_refuse(427, {"not": "a text"}), "This form is no longer available."),
    ],
)
def test_any_backend_can_say_so(scripted: MakePhone, script: Any, message: str) -> None:
    phone = scripted(script)
    before = business_rows()
    reply = phone.step("NEXT", {"n": 1})
    assert reply.status == 427
    assert reply.value == {"error_msg": message}
    assert business_rows() == before | {"SealMark": 1}
    assert len(calls()) == 1


def _raise(error: Exception) -> Any:
    def script(_: Any) -> Any:
        raise error

    return script


@pytest.mark.parametrize(
    "script",
    [
        lambda _: {"error_msg": 1},
        lambda _: {"error_msg": "x", "screen": 1},
        _refuse(""),
        _refuse(432),
        _raise(Refusal(Reason.STALE)),
        _raise(Refusal(Reason.REPLAYED)),
        _raise(Refusal(Reason.RATE)),
        _raise(Refusal(Reason.UPSTREAM_DOWN)),
        _raise(Refusal(Reason.UPSTREAM_SLOW)),
        _raise(Refusal(Reason.UPSTREAM_ANSWER)),
        _raise(Refusal(Reason.UNAVAILABLE)),
        _raise(ZeroDivisionError("secret-plaintext")),
        _raise(KeyError("secret-plaintext")),
    ],
)
def test_anything_else_a_backend_raises_is_our_own_failure(
    scripted: MakePhone, script: Any, caplog: pytest.LogCaptureFixture
) -> None:
    phone = scripted(script)
    before = business_rows()
    reply = phone.step("NEXT", {"n": 1})
    assert reply == Reply(500, b"", None, None)
    assert business_rows() == before
    assert "secret-plaintext" not in caplog.text
