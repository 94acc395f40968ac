"""The sandbox's form from INIT to SUCCESS, and everything a user can do wrong on the way."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callbacks.models import Delivery
from flows_endpoint.whatsapp_flows import slots
from flows_endpoint.whatsapp_flows.models import Appointment
from tests.flows_endpoint.whatsapp_flows.conftest import MakePhone
from tests.flows_endpoint.whatsapp_flows.platform import (
    TOKEN,
    Phone,
    business_rows,
    opened_json,
)

pytestmark = pytest.mark.django_db
PERSON = {"name": "Zoë Example", "email": "zoe@example.org", "note": "Second floor\nring twice"}


@pytest.fixture(autouse=True)
def _nothing_taken_beforehand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "_TAKEN_BEFOREHAND", 0)


def _day() -> str:
    return slots.open_days(datetime.now(UTC).date())[2]


def _chosen(**changes: str) -> dict[str, Any]:
    return {"service": "repair", "branch": "north", "date": _day(), "time": "10:00", **changes}


def _ids(items: list[dict[str, Any]]) -> list[str]:
    return [item["id"] for item in items]


def test_the_whole_story(phone: Phone) -> None:
    opened = phone.step("", {}, action="INIT").value
    assert opened["screen"] == "APPOINTMENT"
    assert _ids(opened["data"]["services"]) == ["repair", "advice", "pickup"]
    assert not opened["data"]["is_branch_enabled"]

    service = phone.step("APPOINTMENT", {"trigger": "service", "service": "repair"}).value["data"]
    assert service["is_branch_enabled"] is True
    assert _ids(service["branches"]) == ["north", "harbour"]
    assert service["is_date_enabled"] is False

    chosen = {"service": "repair", "branch": "north"}
    branch = phone.step("APPOINTMENT", {"trigger": "branch", **chosen}).value["data"]
    assert branch["is_date_enabled"] is True
    assert _day() in _ids(branch["dates"])
    assert branch["is_time_enabled"] is False

    chosen["date"] = _day()
    date = phone.step("APPOINTMENT", {"trigger": "date", **chosen}).value["data"]
    assert date["is_time_enabled"] is True
    assert date["times"][0] == {"id": "09:00", "title": "09:00", "enabled": True}

    details = phone.step("APPOINTMENT", _chosen()).value
    weekday = datetime.fromisoformat(_day()).strftime("%a")
    heading = f"Repair, North Street, {weekday} {_day()}, 10:00"
    assert details == {"screen": "DETAILS", "data": {"heading": heading, **_chosen()}}

    summary = phone.step("DETAILS", {**_chosen(), **PERSON}).value
    assert summary == {
        "screen": "SUMMARY",
        "data": {
            "heading": heading,
            "contact": "Zoë Example, zoe@example.org",
            **_chosen(),
            **PERSON,
        },
    }
    assert not Appointment.objects.exists()
    assert not Delivery.objects.exists()

    end = phone.step("SUMMARY", {**_chosen(), **PERSON, "terms": True}).value
    row = Appointment.objects.get()
    params = {
        "flow_token": TOKEN,
        "appointment_id": str(row.id),
        "service": "Repair",
        "branch": "North Street",
        "date": _day(),
        "time": "10:00",
    }
    assert end == {
        "screen": "SUCCESS",
        "data": {"extension_message_response": {"params": params}},
    }
    assert opened_json(row) == {**_chosen(), **PERSON}
    delivery = Delivery.objects.get()
    assert delivery.event == "flow.completed"
    body = opened_json(delivery)
    completed_at = datetime.fromisoformat(body.pop("completed_at"))
    assert datetime.now(UTC) - completed_at < timedelta(minutes=1)
    assert body == {"event": "flow.completed", "flow_token": TOKEN, "params": params}


def test_nothing_of_a_user_stands_in_clear(phone: Phone) -> None:
    phone.step("SUMMARY", {**_chosen(), **PERSON, "terms": True})
    for model in (Appointment, Delivery):
        for values in model.objects.values():
            text = " ".join(
                bytes(value).hex() if isinstance(value, bytes | memoryview) else str(value)
                for value in values.values()
            )
            for secret in ("Zoë", "zoe@example.org", "10:00", TOKEN, b"zoe".hex()):
                assert secret not in text


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "Please choose a service."),
        ({"service": "painting"}, "Please choose a service."),
        ({"service": ["repair"]}, "Please choose a service."),
        ({"service": None}, "Please choose a service."),
        ({"service": "repair", "branch": "station"}, "Please choose a branch"),
        ({"service": "repair", "branch": {}}, "Please choose a branch"),
        ({"service": "repair", "branch": "north"}, "Please choose a day"),
        ({"service": "repair", "branch": "north", "date": "2020-01-01"}, "Please choose a day"),
        ({"service": "repair", "branch": "north", "date": 1}, "Please choose a day"),
        ({"trigger": "service"}, "Please choose a service."),
        ({"trigger": "branch", "service": "repair"}, "Please choose a branch"),
        ({"trigger": "time", "service": "repair"}, "Please choose again."),
        ({"trigger": []}, "Please choose again."),
    ],
)
def test_a_bad_choice_stays_on_the_screen(phone: Phone, data: dict[str, Any], message: str) -> None:
    reply = phone.step("APPOINTMENT", data)
    assert reply.status == 200
    assert reply.value["screen"] == "APPOINTMENT"
    assert reply.value["data"]["error_message"].startswith(message)


def test_a_changed_answer_puts_what_follows_back(phone: Phone) -> None:
    data = phone.step("APPOINTMENT", {"trigger": "service", **_chosen(service="pickup")}).value
    assert data["data"]["is_date_enabled"] is False
    assert _ids(data["data"]["branches"]) == ["harbour", "station"]


def test_sundays_and_today_cannot_be_booked() -> None:
    days = slots.open_days(datetime(2026, 1, 1, tzinfo=UTC).date())
    assert days[0] == "2026-01-02"
    assert len(days) == 12
    assert "2026-01-04" not in days
    assert days[-1] == "2026-01-15"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "Please write your name"),
        ({"name": "   "}, "Please write your name"),
        ({"name": None}, "Please write your name"),
        ({"name": "x" * 81}, "Please write your name"),
        ({"name": "a\x00b"}, "Please write your name"),
        ({"name": {"first": "a"}}, "Please write your name"),
        ({"email": ""}, "Please write a valid e-mail"),
        ({"email": "nobody"}, "Please write a valid e-mail"),
        ({"email": "a@b"}, "Please write a valid e-mail"),
        ({"email": "a b@example.org"}, "Please write a valid e-mail"),
        ({"email": "a@example.org\n"}, None),
        ({"email": "a\n@example.org"}, "Please write a valid e-mail"),
        ({"email": f"{'x' * 65}@example.org"}, "Please write a valid e-mail"),
        ({"note": "x" * 501}, "Please keep the note"),
        ({"note": ["x"]}, "Please keep the note"),
        ({"note": None}, None),
        ({"note": ""}, None),
        ({"time": "23:00"}, "Please go back and choose a time."),
        ({"service": "painting"}, "Please go back and choose a time."),
    ],
)
def test_bad_details_stay_on_the_screen(
    phone: Phone, changes: dict[str, Any], message: str | None
) -> None:
    reply = phone.step("DETAILS", {**_chosen(), **PERSON, **changes})
    assert reply.status == 200
    if message is None:
        assert reply.value["screen"] == "SUMMARY"
    else:
        assert reply.value["screen"] == "DETAILS"
        assert reply.value["data"]["error_message"].startswith(message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"terms": False}, "Please accept the terms."),
        ({"terms": None}, "Please accept the terms."),
        ({"terms": "true"}, "Please accept the terms."),
        ({"terms": 1}, "Please accept the terms."),
        ({"name": ""}, "Please go back"),
        ({"date": "2020-01-01"}, "Please go back"),
    ],
)
def test_a_bad_summary_books_nothing(phone: Phone, changes: dict[str, Any], message: str) -> None:
    reply = phone.step("SUMMARY", {**_chosen(), **PERSON, "terms": True, **changes})
    assert reply.value["screen"] == "SUMMARY"
    assert reply.value["data"]["error_message"].startswith(message)
    assert not Appointment.objects.exists()
    assert not Delivery.objects.exists()


def test_a_slot_is_given_away_once(phone: Phone) -> None:
    booked = {**_chosen(), **PERSON, "terms": True}
    assert phone.step("SUMMARY", booked, token="ft-a").value["screen"] == "SUCCESS"
    late = phone.step("SUMMARY", booked, token="ft-b").value
    assert late["screen"] == "SUMMARY"
    assert late["data"]["error_message"].startswith("This time has just been taken")
    choosing = phone.step("APPOINTMENT", _chosen(), token="ft-c").value
    assert choosing["screen"] == "APPOINTMENT"
    assert choosing["data"]["error_message"] == "Please choose a free time."
    assert choosing["data"]["times"][1] == {"id": "10:00", "title": "10:00", "enabled": False}
    assert Appointment.objects.count() == Delivery.objects.count() == 1


def test_a_slot_taken_between_look_and_booking_is_given_away_once(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    booked = {**_chosen(), **PERSON, "terms": True}
    phone.step("SUMMARY", booked, token="ft-a")
    monkeypatch.setattr(Appointment.objects, "filter", _blind(Appointment.objects))
    late = phone.step("SUMMARY", booked, token="ft-b")
    assert late.status == 200
    assert late.value["data"]["error_message"].startswith("This time has just been taken")
    monkeypatch.undo()
    assert Appointment.objects.count() == 1


def _blind(manager: Any) -> Any:
    return lambda **_: manager.none()


def test_another_flow_has_its_own_calendar(phone: Phone, make_phone: MakePhone) -> None:
    booked = {**_chosen(), **PERSON, "terms": True}
    other = make_phone()
    for each in (phone, other):
        assert each.step("SUMMARY", booked).value["screen"] == "SUCCESS"


def test_the_same_seed_takes_the_same_slots(
    phone: Phone, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "_TAKEN_BEFOREHAND", 64)

    def free(seed: str) -> list[list[str]]:
        settings.SANDBOX_SEED = seed
        chosen = {"service": "repair", "branch": "north"}
        days = slots.open_days(datetime.now(UTC).date())
        return [_free_times(phone, chosen | {"date": day}) for day in days]

    one, two = free("one"), free("two")
    assert free("one") == one != two
    # A quarter of them, more or less, is taken.
    assert all(48 < sum(map(len, each)) < 88 for each in (one, two))


def _free_times(phone: Phone, chosen: dict[str, str]) -> list[str]:
    reply = phone.step("APPOINTMENT", chosen | {"trigger": "date"}, token=None)
    return [item["id"] for item in reply.value["data"]["times"] if item["enabled"]]


@pytest.mark.parametrize(
    ("screen", "target"),
    [("SUMMARY", "DETAILS"), ("DETAILS", "APPOINTMENT"), ("", "APPOINTMENT")],
)
def test_going_back(phone: Phone, screen: str, target: str) -> None:
    for data in (_chosen(), {}):
        reply = phone.step(screen, data, action="BACK")
        assert reply.status == 200
        assert reply.value["screen"] == target
        assert "error_message" not in reply.value["data"]
    chosen = phone.step(screen, _chosen(), action="BACK").value["data"]
    if target == "DETAILS":
        assert chosen["time"] == "10:00"
    else:
        assert chosen["is_time_enabled"] is True


@pytest.mark.parametrize("screen", ["", "NO_SUCH_SCREEN", "SUCCESS"])
def test_an_unknown_screen_starts_again(phone: Phone, screen: str) -> None:
    reply = phone.step(screen, {})
    assert reply.value["screen"] == "APPOINTMENT"
    assert reply.value["data"]["error_message"] == "Please start again."


@pytest.mark.parametrize("token", [None, "unused"])
def test_a_form_without_a_token_of_its_own_can_be_completed(
    phone: Phone, token: str | None
) -> None:
    for time in ("10:00", "11:00"):
        data = {**_chosen(time=time), **PERSON, "terms": True}
        end = phone.step("SUMMARY", data, token=token).value
        params = end["data"]["extension_message_response"]["params"]
        assert params.get("flow_token") == token
        assert uuid.UUID(params["appointment_id"])
    assert Appointment.objects.filter(token_digest="").count() == 2
    assert Delivery.objects.count() == 2


def test_without_a_callback_url_nothing_is_written_to_the_outbox(make_phone: MakePhone) -> None:
    phone = make_phone()
    end = phone.step("SUMMARY", {**_chosen(), **PERSON, "terms": True})
    assert end.value["screen"] == "SUCCESS"
    assert business_rows()["Delivery"] == 0


def test_the_summary_text_goes_out_with_the_callback(make_phone: MakePhone) -> None:
    phone = make_phone(
        callback_url="https://partner.example/callback",
        options={"summary_template": "Thank you! {service} at {branch}, {date} {time}. {gone}"},
    )
    phone.step("SUMMARY", {**_chosen(), **PERSON, "terms": True})
    summary = opened_json(Delivery.objects.get())["summary"]
    assert summary == f"Thank you! Repair at North Street, {_day()} 10:00. "
