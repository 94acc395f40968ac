"""What the sandbox remembers of its calendar: nothing of another database, nothing of one user."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from flows_endpoint.whatsapp_flows import slots
from flows_endpoint.whatsapp_flows.models import Appointment
from tenants import at_rest, digests
from tenants.models import InternalSecret
from tests.flows_endpoint.whatsapp_flows.platform import Phone

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_taken_beforehand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "_TAKEN_BEFOREHAND", 0)


@pytest.fixture
def chosen() -> dict[str, str]:
    day = slots.open_days(datetime.now(UTC).date())[2]
    return {"service": "repair", "branch": "north", "date": day}


def _free(phone: Phone, chosen: dict[str, str]) -> list[str]:
    reply = phone.step("APPOINTMENT", chosen | {"trigger": "date"}, token=None)
    return [item["id"] for item in reply.value["data"]["times"] if item["enabled"]]


def test_what_is_booked_is_found_by_the_key_of_the_database_at_hand(
    phone: Phone, chosen: dict[str, str]
) -> None:
    assert "10:00" in _free(phone, chosen)
    secret = InternalSecret.objects.get(name="lookup")
    secret.sealed = at_rest.seal(bytes(32), secret.at_rest_context)
    secret.save()
    digests.forget_cached()
    flow_id = str(phone.flow.pk)
    Appointment.objects.create(
        flow_id=flow_id,
        slot_digest=slots.slot_digest(flow_id, "north", chosen["date"], "10:00"),
        body=b"",
    )
    assert "10:00" not in _free(phone, chosen)


def test_one_users_answers_leave_the_form_as_it_was_for_the_next(
    phone: Phone, chosen: dict[str, str]
) -> None:
    def first() -> Any:
        return phone.step("", {}, action="INIT").value

    before = first()
    timely = chosen | {"time": "10:00"}
    for data in (chosen | {"trigger": "date"}, timely, {"service": "none"}):
        phone.step("APPOINTMENT", data)
    person = {"name": "Zoe", "email": "zoe@example.org", "terms": True}
    assert phone.step("SUMMARY", timely | person, token="other").value["screen"] == "SUCCESS"
    assert first() == before
