"""An answer no phone could show is our failure, not the user's: it is checked before sealing."""

from __future__ import annotations

from typing import Any

import pytest

from flows_endpoint.models import ExchangeRow
from tests.crypto_schemes.whatsapp_partner import DEFINITION
from tests.flows_endpoint.whatsapp_flows.conftest import MakePhone
from tests.flows_endpoint.whatsapp_flows.platform import business_rows

pytestmark = pytest.mark.django_db
SECOND = {"when": "now", "price": 1, "open": True, "slots": []}


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        "SECOND",
        {},
        {"screen": "SECOND"},
        {"screen": 1, "data": {}},
        {"screen": "SECOND", "data": []},
        {"screen": "SECOND", "data": {"error_message": 1}},
        {"screen": "SUCCESS", "data": {}},
        {"screen": "SUCCESS", "data": {"extension_message_response": {"params": []}}},
    ],
)
def test_an_answer_of_another_form_is_not_sent(scripted: MakePhone, answer: Any) -> None:
    phone = scripted(lambda _: answer, callback_url="https://partner.example/")
    before = business_rows()
    reply = phone.step("FIRST", {})
    assert (reply.status, reply.body, reply.content_type) == (500, b"", None)
    assert business_rows() == before
    row = ExchangeRow.objects.get()
    assert (row.outcome, row.reason, row.step) == ("failed", "internal", "bad_reply")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"screen": "SECOND", "data": SECOND}, 200),
        ({"screen": "FIRST", "data": {"error_message": "Please choose."}}, 200),
        ({"screen": "SECOND", "data": SECOND | {"price": "1"}}, 500),
        ({"screen": "SECOND", "data": {"when": "now"}}, 500),
        ({"screen": "THIRD", "data": {"count": 1}}, 500),
        ({"screen": "FOURTH", "data": {}}, 500),
    ],
)
def test_a_stored_flow_json_binds_the_answers(
    scripted: MakePhone, answer: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    phone = scripted(lambda _: answer, options={"flow_json": DEFINITION})
    reply = phone.step("FIRST", {})
    assert reply.status == status
    assert reply.value == (answer if status == 200 else None)
    if status == 500:
        assert "No phone could show the answer" in caplog.text
        assert str(phone.flow.pk) in caplog.text


def test_without_a_flow_json_any_screen_goes(scripted: MakePhone) -> None:
    phone = scripted(lambda _: {"screen": "FOURTH", "data": {"x": 1}, "version": "3.0"})
    expected = {"screen": "FOURTH", "data": {"x": 1}, "version": "3.0"}
    assert phone.step("FIRST", {}).value == expected


def test_the_backend_sees_the_request_as_it_was_sealed(scripted: MakePhone) -> None:
    from tests.flows_endpoint.whatsapp_flows.conftest import calls  # noqa: PLC0415

    phone = scripted()
    phone.step("FORM", {"a": "Zoë/1"})
    (call,) = calls()
    assert call.operation == "data_exchange"
    assert call.flow.id == str(phone.flow.pk)
    assert (
        call.raw
        == (
            '{"version":"3.0","action":"data_exchange","screen":"FORM",'
            '"data":{"a":"Zoë/1"},"flow_token":"ft-0001"}'
        ).encode()
    )
    assert call.payload["data"] == {"a": "Zoë/1"}
    assert "Zoë" not in repr(call)


@pytest.mark.parametrize("token", [None, "ft-1"])
def test_an_end_that_cannot_be_written_completes_nothing(
    scripted: MakePhone, token: str | None
) -> None:
    end = {"extension_message_response": {"params": {"n": 1}}, "x": float("nan")}
    phone = scripted(
        lambda _: {"screen": "SUCCESS", "data": end}, callback_url="https://partner.example/"
    )
    before = business_rows()
    assert phone.step("FORM", {}, token=token).status == 500
    assert business_rows() == before
