"""The phone's retry button: each step is served once, and the first reply comes again."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest

from callbacks.models import Delivery
from crypto_schemes.whatsapp_flows.payload import FlowRequest
from flows_endpoint import housekeeping, tasks
from flows_endpoint.whatsapp_flows import steps
from flows_endpoint.whatsapp_flows.models import Appointment, StepReply
from tenants import at_rest, digests
from tenants.keyring import keyring
from tests.flows_endpoint.whatsapp_flows import test_appointment_story as story
from tests.flows_endpoint.whatsapp_flows.conftest import MakePhone, calls
from tests.flows_endpoint.whatsapp_flows.platform import Phone
from tests.support.at_once import at_once

pytestmark = pytest.mark.django_db


def test_the_same_step_is_served_once(scripted: MakePhone) -> None:
    phone = scripted()
    first = phone.step("FORM", {"a": 1, "b": [2]})
    again = phone.step("FORM", {"b": [2], "a": 1})
    assert first.value == again.value == {"screen": "NEXT", "data": {"n": 1}}
    # Sealed under the key of the new request.
    assert first.body != again.body
    assert len(calls()) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"screen": "OTHER"},
        {"data": {"a": 2}},
        {"data": {"a": True}},
        {"token": "ft-0002"},
        {"data": {"a": "1"}},
    ],
)
def test_another_step_is_served_by_itself(scripted: MakePhone, changed: dict[str, Any]) -> None:
    phone = scripted()
    one: dict[str, Any] = {"screen": "FORM", "data": {"a": 1}}
    phone.step(**one)
    assert phone.step(**one | changed).value["data"] == {"n": 2}


def test_a_step_has_the_name_it_had_in_earlier_releases(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "internal_secret", lambda _: bytes(32))
    flow = keyring.by_flow_id(str(phone.flow.pk))
    assert flow is not None
    request = FlowRequest(
        "3.0", "data_exchange", "FORM", 'ft "é"', {"b": [1.5, None], "a": {"é": True, "Z": "/"}}
    )
    step = steps.step_of(dataclasses.replace(flow, id="a-flow"), request)
    assert step.name == "8922977a047c121aa204c7a5eba332e5f0b45ee03cd859de4db3d48c52b14b6f"


@pytest.mark.parametrize("action", ["INIT", "BACK"])
def test_only_data_exchanges_are_remembered(scripted: MakePhone, action: str) -> None:
    phone = scripted()
    for n in (1, 2):
        assert phone.step("FORM", {}, action=action).value["data"] == {"n": n}
    assert not StepReply.objects.exists()


@pytest.mark.parametrize("token", [None, "", "unused"])
def test_users_without_a_token_of_their_own_do_not_get_each_others_reply(
    scripted: MakePhone, token: str | None
) -> None:
    phone = scripted()
    for n in (1, 2):
        assert phone.step("FORM", {}, token=token).value["data"] == {"n": n}
    assert not StepReply.objects.exists()


def test_the_window_can_be_closed(scripted: MakePhone) -> None:
    phone = scripted(options={"retry_window": 0})
    for n in (1, 2):
        assert phone.step("FORM", {}).value["data"] == {"n": n}
    assert not StepReply.objects.exists()


def test_after_the_window_the_step_is_served_anew(scripted: MakePhone) -> None:
    phone = scripted(options={"retry_window": 45})
    phone.step("FORM", {})
    row = StepReply.objects.get()
    assert 40 < row.expires_at - time.time() <= 45
    StepReply.objects.update(expires_at=time.time() - 0.01)
    assert phone.step("FORM", {}).value["data"] == {"n": 2}
    assert phone.step("FORM", {}).value["data"] == {"n": 2}
    assert StepReply.objects.count() == 1


def test_the_reply_is_sealed_and_tells_nothing(scripted: MakePhone) -> None:
    phone = scripted(lambda _: {"screen": "NEXT", "data": {"name": "hidden-name"}})
    phone.step("FORM", {"name": "hidden-name"})
    row = StepReply.objects.get()
    assert b"hidden-name" not in bytes(row.reply)
    assert at_rest.open_sealed(row.reply, row.at_rest_context) == (
        b'{"screen":"NEXT","data":{"name":"hidden-name"}}'
    )


def test_a_failed_step_is_not_remembered(scripted: MakePhone) -> None:
    def script(_: Any) -> Any:
        if len(calls()) == 1:
            raise ZeroDivisionError
        return {"screen": "NEXT", "data": {}}

    phone = scripted(script)
    assert phone.step("FORM", {}).status == 500
    assert not StepReply.objects.exists()
    assert phone.step("FORM", {}).status == 200
    assert len(calls()) == 2


def test_an_answer_that_cannot_be_written_is_not_remembered(scripted: MakePhone) -> None:
    phone = scripted(lambda _: {"screen": "NEXT", "data": {"x": float("nan")}})
    assert phone.step("FORM", {}).status == 500
    assert not StepReply.objects.exists()


def test_a_repeated_booking_books_once_and_announces_once(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows_endpoint.whatsapp_flows.slots._TAKEN_BEFOREHAND", 0)
    booking = {**story._chosen(), **story.PERSON, "terms": True}
    first, again = phone.step("SUMMARY", booking), phone.step("SUMMARY", booking)
    assert first.value == again.value
    assert first.value["screen"] == "SUCCESS"
    assert Appointment.objects.count() == Delivery.objects.count() == 1
    # Any other step under the token is over.
    over = phone.step("DETAILS", booking)
    assert over.status == 427
    assert over.value == {"error_msg": "This form has already been completed."}
    assert phone.step("", {}, action="INIT").status == 427
    # And so is the same one once the window is closed.
    StepReply.objects.all().delete()
    assert phone.step("SUMMARY", booking).status == 427
    assert Appointment.objects.count() == Delivery.objects.count() == 1


def test_a_step_in_progress_elsewhere_is_waited_for(
    scripted: MakePhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = scripted()
    phone.step("FORM", {})
    reply = bytes(StepReply.objects.get().reply)
    now = time.time()
    StepReply.objects.update(reply=b"", owner="another", expires_at=now + 30)
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            StepReply.objects.update(reply=reply)

    monkeypatch.setattr(time, "sleep", pause)
    waits = "Remote" in phone.flow.backend_class
    again = phone.step("FORM", {})
    assert again.status == (200 if waits else 500)
    assert len(pauses) == (3 if waits else 0)
    assert len(calls()) == 1
    if waits:
        assert again.value["data"] == {"n": 1}


def test_a_step_that_stays_in_progress_is_given_up(
    scripted: MakePhone, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = scripted()
    phone.step("FORM", {})
    StepReply.objects.update(reply=b"", owner="another", expires_at=time.time() + 30)
    monkeypatch.setattr(steps, "PATIENCE", 0.05)
    assert phone.step("FORM", {}).status == 500
    assert len(calls()) == 1
    assert StepReply.objects.get().owner == "another"


def test_a_step_whose_server_died_is_taken_over(scripted: MakePhone) -> None:
    phone = scripted()
    phone.step("FORM", {})
    StepReply.objects.update(reply=b"", owner="dead", expires_at=time.time() - 0.01)
    assert phone.step("FORM", {}).value["data"] == {"n": 2}


@pytest.mark.django_db(transaction=True)
def test_steps_sent_at_once_are_served_once(scripted: MakePhone) -> None:
    def script(_: Any) -> Any:
        time.sleep(0.3)
        return {"screen": "NEXT", "data": {"n": len(calls())}}

    phone = scripted(script)
    phone.step("WARM", {})
    calls().clear()
    replies: list[Any] = []
    assert at_once(*[lambda: replies.append(phone.step("FORM", {}))] * 3) == []
    assert [reply.value for reply in replies] == [{"screen": "NEXT", "data": {"n": 1}}] * 3
    assert len(calls()) == 1


def test_past_steps_are_forgotten(scripted: MakePhone) -> None:
    phone = scripted()
    phone.step("FORM", {"a": 1})
    phone.step("FORM", {"a": 2})
    last = StepReply.objects.order_by("pk").last()
    assert last is not None
    StepReply.objects.filter(pk=last.pk).update(expires_at=time.time() - 1)
    tasks.forget_the_past()
    assert StepReply.objects.count() == 1
    housekeeping.run(time.time() + 1000)
    assert not StepReply.objects.exists()
