"""The sandbox plays a call from its start to its callback, the same way every time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from callbacks.models import Delivery
from flows_endpoint import timers
from flows_endpoint.kairos import story
from flows_endpoint.kairos.models import CallAttempt, FlowStatus, OutboundCall
from flows_endpoint.models import Timer
from tenants import at_rest, lifecycle
from tenants.actors import Actor
from tests.flows_endpoint.kairos.partner import Partner, a_call

pytestmark = pytest.mark.django_db
Make = Callable[..., Partner]
TODAY = "2026-03-05T"


def start_now(**changes: Any) -> dict[str, Any]:
    """Return members of a call whose time is now, in the offset of India."""
    now = datetime.now(UTC).astimezone(datetime.fromisoformat("2030-01-01T00:00+05:30").tzinfo)
    return {"start-time": now.isoformat(timespec="milliseconds"), **changes}


def place(partner: Partner, *numbers: str, **changes: Any) -> OutboundCall:
    answer = partner.sealed(partner.request(a_call("order-1", *numbers, **start_now(**changes))))
    return OutboundCall.objects.get(pk=answer["call-details"][0]["phonon-uuid"])


def step() -> int:
    """Let the next thing that waits happen; returns how many timers ran."""
    Timer.objects.update(due_at=timezone.now())
    return timers.run_due()


def play(call: OutboundCall) -> OutboundCall:
    for _ in range(20):
        if not step():
            break
    call.refresh_from_db()
    assert not Timer.objects.exists()
    return call


def delivered(delivery: Delivery) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(at_rest.open_sealed(delivery.body, delivery.at_rest_context))
    return body


def test_a_call_runs_its_course(partner: Partner) -> None:
    call = place(partner, "910000000016")
    assert timers.run_due() == 1  # its time has come
    call.refresh_from_db()
    assert call.status == FlowStatus.IN_PROGRESS
    assert not Delivery.objects.exists()
    attempt = CallAttempt.objects.get()
    assert (attempt.number, attempt.ended_at) == (1, None)
    waiting = Timer.objects.get()
    assert waiting.due_at > timezone.now() + timedelta(seconds=2)
    assert timers.run_due() == 0
    call = play(call)
    assert call.status in (FlowStatus.COMPLETED, FlowStatus.PARTIAL_COMPLETE)
    assert call.ended_at is not None
    delivery = Delivery.objects.get()
    assert (delivery.event, delivery.subject) == ("call.ended", str(call.pk))
    assert str(delivery.flow_id) == str(partner.flow.pk)
    attempt.refresh_from_db()
    details = attempt.details()["call_details"]
    assert delivered(delivery) == {"body": {"phonon-uuid": str(call.pk), "callDetails": [details]}}
    assert details["cdrId"] == f"{attempt.pk}##pbx-1"
    assert details["calleeNumber"] == "910000000016"
    assert details["hangupCause"] == "16"


@pytest.mark.parametrize("offset", ["+23:59", "-23:59", "+16:00", "+00:00"])
def test_a_call_ends_whatever_its_offset(partner: Partner, offset: str) -> None:
    now = datetime.now(UTC).astimezone(datetime.fromisoformat(f"2030-01-01T00:00{offset}").tzinfo)
    call = play(place(partner, "910000000016", **{"start-time": now.isoformat()}))
    assert call.status in (FlowStatus.COMPLETED, FlowStatus.PARTIAL_COMPLETE)
    details = delivered(Delivery.objects.get())["body"]["callDetails"][0]
    assert datetime.fromisoformat(details["startTime"]).utcoffset() == now.utcoffset()


def test_members_stand_in_the_contracts_order(partner: Partner) -> None:
    play(place(partner, "910000000016"))
    body = delivered(Delivery.objects.get())["body"]
    assert list(body) == ["phonon-uuid", "callDetails"]
    expected = [
        "cdrId",
        "startTime",
        "connectTime",
        "endTime",
        "calleeNumber",
        "didNumber",
        "hangupCause",
        "duration",
        "dtmfPressesd",
        "incoming",
        "calleeType",
        "remoteHangup",
        "is_ringing",
        "ringingStartTime",
        "foreignCallIds",
    ]
    details = body["callDetails"][0]
    assert list(details) == [name for name in expected if name in details]
    assert set(expected) - set(details) <= {"dtmfPressesd"}
    assert details["incoming"] is False
    assert details["calleeType"] == "VISITOR"
    assert details["is_ringing"] == "true"
    assert details["foreignCallIds"] == []
    started, connected, ended = (
        datetime.fromisoformat(details[name]) for name in ("startTime", "connectTime", "endTime")
    )
    assert started < datetime.fromisoformat(details["ringingStartTime"]) < connected < ended
    assert started.utcoffset() == timedelta(hours=5, minutes=30)
    assert int(details["duration"]) == pytest.approx(
        (ended - connected).total_seconds() * 1000, abs=2
    )


@pytest.mark.parametrize(
    ("number", "status", "cause", "absent"),
    [
        ("910000000017", "FAILURE", "17", {"connectTime", "ringingStartTime", "dtmfPressesd"}),
        ("910000000018", "FAILURE", "18", {"connectTime", "dtmfPressesd"}),
        ("910000000099", "REJECTED", "-1", {"connectTime", "dtmfPressesd"}),
    ],
)
def test_numbers_that_always_end_the_same_way(
    partner: Partner, number: str, status: str, cause: str, absent: set[str]
) -> None:
    call = play(place(partner, number))
    assert call.status == status
    details = delivered(Delivery.objects.get())["body"]["callDetails"][0]
    assert (details["hangupCause"], details["duration"]) == (cause, "0")
    assert not absent & set(details)
    assert details["is_ringing"] == ("false" if cause == "17" else "true")


def test_the_next_number_is_tried(partner: Partner) -> None:
    call = place(partner, "910000000017", "910000000001", "910000000018", "910000000016")
    assert step() == 1
    assert step() == 1
    call.refresh_from_db()
    assert (call.status, call.ended_at) == (FlowStatus.REATTEMPT_SCHEDULED, None)
    assert not Delivery.objects.exists()
    call = play(call)
    assert call.status in (FlowStatus.COMPLETED, FlowStatus.PARTIAL_COMPLETE)
    details = delivered(Delivery.objects.get())["body"]["callDetails"]
    assert [(d["calleeNumber"][-4:], d["hangupCause"]) for d in details] == [
        ("0017", "17"),
        ("0018", "18"),
        ("0016", "16"),
    ]
    assert Delivery.objects.count() == 1


def test_no_more_than_five_numbers_are_tried(partner: Partner) -> None:
    call = play(place(partner, *["910000000017"] * 8))
    assert (call.status, call.attempts.count()) == (FlowStatus.FAILURE, 5)


def test_a_cancelled_call_is_not_tried_again(partner: Partner) -> None:
    call = play(place(partner, "910000000099", "910000000016"))
    assert (call.status, call.attempts.count()) == (FlowStatus.REJECTED, 1)


def test_a_future_call_waits_for_its_time(partner: Partner) -> None:
    later = (timezone.now() + timedelta(hours=2)).isoformat()
    call = place(partner, **{"start-time": later})
    assert Timer.objects.get().due_at == call.start_at
    assert timers.run_due() == 0


def test_a_past_time_today_starts_at_once(partner: Partner) -> None:
    # 14 hours east or 12 hours west it is certainly later in the day than midnight.
    now = timezone.now()
    offset = "+14:00" if now.hour < 10 else "-12:00" if now.hour >= 12 else "+00:00"
    zone = datetime.fromisoformat(f"2030-01-01T00:00:00{offset}").tzinfo
    midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    call = place(partner, **{"start-time": midnight.isoformat()})
    assert timers.run_due() == 1
    call.refresh_from_db()
    assert call.status == FlowStatus.IN_PROGRESS


def test_a_past_date_is_accepted_and_fails(partner: Partner) -> None:
    call = place(partner, **{"start-time": "2024-01-01T10:00:00+05:30"})
    call = play(call)
    assert call.status == FlowStatus.INVALID_CALL_START_TIME
    assert not CallAttempt.objects.exists()
    assert delivered(Delivery.objects.get()) == {
        "body": {"phonon-uuid": str(call.pk), "callDetails": []}
    }


def test_numbers_not_in_service(partner: Partner) -> None:
    call = play(place(partner, "910000000001"))
    assert call.status == FlowStatus.INVALID_CONTACT_NUMBER
    assert not CallAttempt.objects.exists()


@pytest.mark.parametrize(
    ("numbers", "status", "attempts"),
    [
        (["620000000017", "+440000000017"], "INTERNATIONAL_CALLS_DISABLED", 0),
        (["620000000016", "910000000017"], "FAILURE", 1),
    ],
)
def test_international_calls_can_be_switched_off(
    make_partner: Make, numbers: list[str], status: str, attempts: int
) -> None:
    partner = make_partner(options={"international_calls": False})
    call = play(place(partner, *numbers))
    assert (call.status, call.attempts.count()) == (status, attempts)


def test_test_calls_reach_listed_numbers_only(make_partner: Make) -> None:
    options = {"test_phone_numbers": ["+910000000017", "910000000018"]}
    partner = make_partner(options=options)

    def send(*numbers: str) -> Any:
        call = a_call("order-1", *numbers, **start_now())
        return partner.sealed(partner.request(call, **{"api-version": "TEST"}))

    assert send("910000000017", "910000000016")["api-response-code"] == 402
    assert not OutboundCall.objects.exists()
    answer = send("910000000017")
    assert answer["api-response-code"] == 200
    call = OutboundCall.objects.get()
    assert call.request.is_test
    # Taken off the list before its time: it is not dialled.
    changed = {"rsa_bits": 2048, "test_phone_numbers": ["910000000018"]}
    lifecycle.update_flow(Actor("op"), partner.flow, {"options": changed})
    assert play(call).status == FlowStatus.PHONE_NOT_WHITELISTED


def test_a_flow_switched_off_places_no_calls(partner: Partner) -> None:
    call = place(partner, "910000000016")
    lifecycle.update_flow(Actor("op"), partner.flow, {"is_enabled": False})
    assert play(call).status == FlowStatus.FAILURE
    assert not CallAttempt.objects.exists()


def test_without_a_callback_address_nothing_is_queued(make_partner: Make) -> None:
    call = play(place(make_partner(), "910000000016"))
    assert call.ended_at is not None
    assert not Delivery.objects.exists()


def test_doing_a_step_twice_changes_nothing(partner: Partner) -> None:
    call = place(partner, "910000000016")
    first = Timer.objects.get()
    assert step() == 1
    again = Timer.objects.create(
        flow=partner.flow, kind=first.kind, subject=first.subject, due_at=timezone.now()
    )
    assert timers.run_due() == 1
    assert not Timer.objects.filter(pk=again.pk).exists()
    assert call.attempts.count() == 1
    play(call)
    for kind in ("kairos.start_call", "kairos.end_attempt"):
        timers.schedule(str(partner.flow.pk), kind, str(call.pk), timezone.now())
    assert timers.run_due() == 2
    assert (Delivery.objects.count(), call.attempts.count()) == (1, 1)


def test_speed_divides_the_waiting(partner: Partner, settings: Any) -> None:
    settings.SANDBOX_SPEED = 10
    place(partner, "910000000018")
    timers.run_due()
    waiting = Timer.objects.get().due_at - CallAttempt.objects.get().started_at
    assert waiting == timedelta(seconds=3.1)  # 31 seconds until the network gives up


def test_the_same_seed_tells_the_same_story() -> None:
    def endings(seed: str) -> list[story.Ending]:
        return [story.ending_of(seed, f"order-{n}", f"9100000{n:05}", 1) for n in range(200, 700)]

    assert endings("a") == endings("a")
    assert endings("a") != endings("b")
    seen = Counter(ending.hangup_cause for ending in endings("a"))
    assert set(seen) == {16, 17, 18, -1}
    assert 0.6 < seen[16] / 500 < 0.8
    assert {ending.leads_to for ending in endings("a")} == {
        FlowStatus.COMPLETED,
        FlowStatus.PARTIAL_COMPLETE,
        FlowStatus.FAILURE,
        FlowStatus.REJECTED,
    }


def test_the_calling_number_is_the_flows_own() -> None:
    first, second = story.did_of("s", "Kx92LmQ7", "91"), story.did_of("s", "Kx92LmQ8", "91")
    assert first == story.did_of("s", "Kx92LmQ7", "91")
    assert first != second
    assert len(first) == 12
