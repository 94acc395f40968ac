"""A phone's complaint is acknowledged and kept, sealed, whatever the backend."""

from __future__ import annotations

from typing import Any

import pytest

from flows_endpoint.whatsapp_flows.models import ErrorReport, StepReply
from tests.flows_endpoint.whatsapp_flows.conftest import MakePhone, calls
from tests.flows_endpoint.whatsapp_flows.platform import Phone, opened_json

pytestmark = pytest.mark.django_db
ACKNOWLEDGED = {"data": {"acknowledged": True}}


@pytest.mark.parametrize(
    ("data", "kind", "key", "message"),
    [
        ({"error": "E", "error_message": "it broke"}, "other", "E", "it broke"),
        ({"error_key": "E", "error_message": "it broke"}, "other", "E", "it broke"),
        (
            {"error_key": "payload-schema-error", "error_message": "at data.x"},
            "payload-schema-error",
            "payload-schema-error",
            "at data.x",
        ),
        (
            {"error": "response-decryption-error"},
            "response-decryption-error",
            "response-decryption-error",
            "",
        ),
        ({"error": "a\x00b", "error_message": "c\x00d"}, "other", "a\x00b", "c\x00d"),
        ({"error": "x" * 5000, "error_message": ""}, "other", "x" * 5000, ""),
        ({"error": "other", "error_message": ""}, "other", "other", ""),
    ],
)
def test_a_report_is_acknowledged_and_kept(
    phone: Phone, data: dict[str, Any], kind: str, key: str, message: str
) -> None:
    reply = phone.step("DETAILS", data, action="navigate")
    assert reply.value == ACKNOWLEDGED
    row = ErrorReport.objects.get()
    assert row.flow_id == phone.flow.pk
    assert row.kind == kind
    assert opened_json(row) == {"key": key, "message": message, "screen": "DETAILS"}


def test_of_a_long_report_the_beginning_is_kept(phone: Phone) -> None:
    data = {"error": "k" * 100_000, "error_message": "m" * 4_000_000}
    assert phone.step("s" * 100_000, data, action="navigate").value == ACKNOWLEDGED
    kept = {"key": "k" * 10_000, "message": "m" * 10_000, "screen": "s" * 10_000}
    assert opened_json(ErrorReport.objects.get()) == kept


@pytest.mark.parametrize("action", ["data_exchange", "INIT", "BACK", "ping", "navigate"])
def test_it_may_come_with_any_action_and_no_token(scripted: MakePhone, action: str) -> None:
    phone = scripted(options={"require_token_signature": True})
    data = {"error": "invalid-screen-transition", "error_message": "m"}
    assert phone.step("", data, action=action, token=None).value == ACKNOWLEDGED
    assert calls() == []
    assert ErrorReport.objects.count() == 1
    assert not StepReply.objects.exists()


@pytest.mark.parametrize(
    "data",
    [{"error": "own field"}, {"error": 1, "error_message": "m"}, {"error_message": "m"}],
)
def test_a_form_with_a_field_of_that_name_is_a_form(
    scripted: MakePhone, data: dict[str, Any]
) -> None:
    phone = scripted()
    assert phone.step("FORM", data).value == {"screen": "NEXT", "data": {"n": 1}}
    assert not ErrorReport.objects.exists()
    assert len(calls()) == 1
