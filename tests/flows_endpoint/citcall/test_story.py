"""What the sandbox does later: the call ends, and the callback goes into the outbox."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from callbacks.models import Delivery
from crypto_schemes import citcall
from flows_endpoint import timers
from flows_endpoint.citcall.models import CallState, MissedCall
from flows_endpoint.citcall.sandbox import END_CALL, OUTCOMES, TRIAL_ENDINGS, outcome_of
from flows_endpoint.models import Timer
from tests.flows_endpoint.citcall.partner import ORDER, Partner, callbacks

pytestmark = pytest.mark.django_db
MEMBERS = [
    "rc",
    "trx_id",
    "msisdn",
    "via",
    "token",
    "dial_code",
    "dial_status",
    "call_status",
    "result",
    "clientUniqueId",
]


def let_time_pass() -> int:
    Timer.objects.filter(kind=END_CALL).update(due_at=timezone.now() - timedelta(seconds=1))
    return timers.run_due()


def number_that_ends(status: str, code: int, userid: str = "partner01") -> str:
    """Return a number whose first call from ``userid`` ends so."""
    for n in range(5000):
        msisdn = f"+62812{n:08d}"
        outcome = outcome_of(userid, msisdn, 1)
        if (outcome.call_status, outcome.dial_code) == (status, code):
            return msisdn
    raise AssertionError(status)


@pytest.mark.parametrize(
    ("digits", "code", "status"),
    [
        ("0180", 180, "No Answer"),
        ("0200", 180, "Answered"),
        ("0486", 486, "Busy"),
        ("0404", 404, "Failed"),
        ("0503", 503, "Failed"),
    ],
)
def test_a_trial_number_always_ends_the_same_way(digits: str, code: int, status: str) -> None:
    endings = {
        outcome_of(userid, f"+62812000{n:02}{digits}", ordinal)
        for userid in ("partner01", "partner02")
        for n in range(20)
        for ordinal in range(1, 6)
    }
    assert {(ending.dial_code, ending.call_status) for ending in endings} == {(code, status)}


def test_every_ending_has_a_trial_number() -> None:
    assert set(TRIAL_ENDINGS.values()) == {outcome for _, outcome in OUTCOMES}


@pytest.mark.parametrize(
    ("status", "code", "reason", "rc", "result"),
    [
        ("No Answer", 180, "Ringing", "00", "Success"),
        ("Answered", 180, "Ringing", "00", "Success"),
        ("Busy", 486, "Busy Here", "06", "Failed"),
        ("Failed", 404, "Not Found", "06", "Failed"),
        ("Failed", 503, "Service Unavailable", "06", "Failed"),
    ],
)
def test_each_outcome_is_reported(
    partner: Partner, status: str, code: int, reason: str, rc: str, result: str
) -> None:
    msisdn = number_that_ends(status, code)
    reply = partner.call(ORDER | {"msisdn": msisdn})
    assert callbacks() == []
    assert let_time_pass() == 1
    call = MissedCall.objects.get()
    assert (call.state, call.dial_code, call.call_status) == (CallState.ENDED, code, status)
    assert call.ended_at is not None
    (body,) = callbacks()
    assert list(body) == MEMBERS
    assert body == {
        "rc": rc,
        "trx_id": reply["trxid"],
        "msisdn": msisdn,
        "via": "citcall",
        "token": reply["token"],
        "dial_code": code,
        "dial_status": reason,
        "call_status": status,
        "result": result,
        "clientUniqueId": "A-1",
    }


def test_without_an_id_the_callback_has_none(partner: Partner) -> None:
    partner.call({"msisdn": "081200000001", "gateway": 1})
    let_time_pass()
    (body,) = callbacks()
    assert list(body) == MEMBERS[:-1]


def test_the_delivery_names_the_call_and_nobody(partner: Partner) -> None:
    reply = partner.call()
    let_time_pass()
    delivery = Delivery.objects.get()
    assert (delivery.event, delivery.subject) == ("call.ended", str(MissedCall.objects.get().id))
    assert delivery.state == "pending"
    for secret in (b"81200000001", reply["token"].encode()):
        assert secret not in bytes(delivery.body)


def test_the_partner_opens_the_sealed_callback(partner: Partner) -> None:
    partner.call()
    let_time_pass()
    (body,) = callbacks()
    options, now = citcall.CitCallOptions(), timezone.now().timestamp()
    sealed = citcall.SCHEME.seal_callback(body, partner.credentials, options, now=now)
    opened = citcall.SCHEME.open_callback(sealed.body, {}, partner.credentials, options, now=now)
    assert opened == body
    assert list(opened) == MEMBERS


def test_a_call_ends_once(partner: Partner) -> None:
    partner.call()
    assert let_time_pass() == 1
    timers.schedule(
        str(partner.flow.pk), END_CALL, str(MissedCall.objects.get().id), timezone.now()
    )
    assert let_time_pass() == 1
    assert Delivery.objects.count() == 1


def test_no_callback_without_an_address(make_partner: Callable[..., Partner]) -> None:
    partner = make_partner()
    partner.call()
    assert let_time_pass() == 1
    assert MissedCall.objects.get().state == CallState.ENDED
    assert Delivery.objects.count() == 0


def test_a_call_before_its_time_rings_on(partner: Partner) -> None:
    partner.call()
    assert timers.run_due() == 0
    assert MissedCall.objects.get().state == CallState.QUEUED


def test_the_sandbox_can_be_hurried(partner: Partner, settings: Any) -> None:
    settings.SANDBOX_SPEED = 1e6
    partner.call()
    assert timers.run_due() == 1
    assert len(callbacks()) == 1


def test_the_same_seed_plays_the_same_story(settings: Any) -> None:
    def story() -> list[Any]:
        return [outcome_of("partner01", f"+62812000000{n:02d}", 1) for n in range(60)]

    settings.SANDBOX_SEED = "one"
    first = story()
    assert story() == first
    settings.SANDBOX_SEED = "two"
    assert story() != first


def test_outcomes_are_as_frequent_as_they_should_be() -> None:
    counts = Counter(outcome_of("partner01", f"+62812{n:08d}", 1) for n in range(4000))
    assert sum(share for share, _ in OUTCOMES) == 100
    for share, outcome in OUTCOMES:
        assert abs(counts[outcome] / 40 - share) < 3
