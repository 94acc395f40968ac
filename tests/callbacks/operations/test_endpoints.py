"""Pausing, resuming, enabling, setting up and testing an endpoint."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from callbacks import channels, operations, settle
from callbacks.channels import Result
from callbacks.claim import claim_due
from callbacks.models import Delivery, Endpoint
from callbacks.settle import Finished
from tenants.actors import Actor, NotAllowedError
from tenants.lifecycle import IssuedFlow, LifecycleError
from tenants.models import AuditEntry, Flow
from tests.callbacks.outbox import put, set_up

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]
NOBODY = Actor("nobody", may=lambda permission: permission != "callbacks.operate_endpoint")


@pytest.fixture
def flow(make_flow: Make) -> Flow:
    return make_flow("citcall", callback_url="http://127.0.0.1:9/hook").flow


@pytest.fixture
def endpoint(flow: Flow) -> Endpoint:
    return set_up(flow)


def broken(endpoint: Endpoint, state: str) -> Endpoint:
    now = timezone.now()
    return set_up(
        endpoint.flow,
        state=state,
        state_reason="Nothing has arrived for 5 days.",
        breaker="open",
        failures=12,
        opened_at=now,
        times_opened=3,
        failing_since=now,
        last_failure_at=now,
        warned_days=4,
        ready_at=now + timedelta(minutes=5),
    )


def test_nothing_goes_while_it_is_paused_and_everything_after(
    endpoint: Endpoint, actor: Actor
) -> None:
    delivery = put(endpoint.flow)
    paused = operations.pause(actor, endpoint.pk, reason="they move house")
    assert (paused.state, paused.state_reason) == ("paused", "they move house")
    assert claim_due(9) == []
    assert operations.resume(actor, endpoint.pk).state == "active"
    assert set_up(endpoint.flow).state_reason == ""
    assert [held.pk for held in claim_due(9)] == [delivery.pk]
    entries = AuditEntry.objects.filter(verb__startswith="endpoint.").order_by("pk")
    assert [(entry.verb, entry.before, entry.after, entry.reason) for entry in entries] == [
        (
            "endpoint.pause",
            {"endpoint": "callback", "state": "active"},
            {"endpoint": "callback", "state": "paused"},
            "they move house",
        ),
        (
            "endpoint.resume",
            {"endpoint": "callback", "state": "paused"},
            {"endpoint": "callback", "state": "active"},
            "",
        ),
    ]


@pytest.mark.parametrize("state", ["disabled", "active"])
def test_enabling_closes_the_breaker_and_forgets_failures(
    state: str, endpoint: Endpoint, actor: Actor
) -> None:
    broken(endpoint, state)
    delivery = put(endpoint.flow)
    assert claim_due(9) == []
    after = operations.enable(actor, endpoint.pk)
    assert (after.state, after.breaker, after.failures, after.times_opened) == (
        "active",
        "closed",
        0,
        0,
    )
    assert (after.opened_at, after.failing_since, after.warned_days) == (None, None, 0)
    assert after.state_reason == ""
    assert [held.pk for held in claim_due(9)] == [delivery.pk]


@pytest.mark.parametrize(
    ("state", "verb"),
    [
        ("paused", operations.pause),
        ("disabled", operations.pause),
        ("active", operations.resume),
        ("disabled", operations.resume),
        ("paused", operations.enable),
        ("active", operations.enable),
        ("paused", operations.send_test),
        ("disabled", operations.send_test),
    ],
)
def test_what_makes_no_sense_is_refused(
    state: str, verb: Callable[..., Any], endpoint: Endpoint, actor: Actor
) -> None:
    set_up(endpoint.flow, state=state)
    entries = AuditEntry.objects.count()
    with pytest.raises(LifecycleError):
        verb(actor, endpoint.pk)
    assert set_up(endpoint.flow).state == state
    assert not Delivery.objects.exists()
    assert AuditEntry.objects.count() == entries
    with pytest.raises(LifecycleError, match="no such endpoint"):
        verb(actor, endpoint.pk + 1)


@pytest.mark.parametrize("reason", ["", " \n "])
def test_pausing_takes_a_reason(endpoint: Endpoint, actor: Actor, reason: str) -> None:
    entries = AuditEntry.objects.count()
    with pytest.raises(LifecycleError, match="needs a reason"):
        operations.pause(actor, endpoint.pk, reason=reason)
    assert set_up(endpoint.flow).state == "active"
    assert AuditEntry.objects.count() == entries


@pytest.mark.parametrize(
    ("verb", "state"),
    [
        (operations.pause, "active"),
        (operations.resume, "paused"),
        (operations.enable, "disabled"),
        (operations.send_test, "active"),
        (lambda who, pk: operations.set_up(who, pk, {"burst": 7}), "active"),
    ],
)
def test_every_verb_needs_the_permission(
    verb: Callable[..., Any], state: str, endpoint: Endpoint
) -> None:
    before = set_up(endpoint.flow, state=state)
    with pytest.raises(NotAllowedError):
        verb(NOBODY, endpoint.pk)
    after = set_up(endpoint.flow)
    assert (after.state, after.burst) == (before.state, before.burst)
    assert not Delivery.objects.exists()


class TestSetUp:
    def test_what_changed_is_written_and_noted(self, endpoint: Endpoint, actor: Actor) -> None:
        operations.set_up(actor, endpoint.pk, {"rate_per_second": 2.5, "schedule": [5, 60]})
        after = set_up(endpoint.flow)
        assert (after.rate_per_second, after.schedule, after.burst) == (2.5, [5, 60], 1)
        entry = AuditEntry.objects.get(verb="endpoint.update")
        assert entry.before == {"endpoint": "callback", "rate_per_second": None, "schedule": []}
        assert entry.after == {
            "endpoint": "callback",
            "rate_per_second": 2.5,
            "schedule": [5, 60],
        }

    @pytest.mark.parametrize(
        "changes",
        [{"concurrency": 0}, {"schedule": ["x"]}, {"auth": "basic"}, {"rate_per_second": 0}],
    )
    def test_what_cannot_be_is_refused(
        self, changes: dict[str, Any], endpoint: Endpoint, actor: Actor
    ) -> None:
        with pytest.raises(ValidationError):
            operations.set_up(actor, endpoint.pk, changes)
        name, value = next(iter(changes.items()))
        assert getattr(set_up(endpoint.flow), name) != value

    def test_its_state_is_no_setting(self, endpoint: Endpoint, actor: Actor) -> None:
        with pytest.raises(LifecycleError, match="state cannot be changed"):
            operations.set_up(actor, endpoint.pk, {"state": "paused"})


class TestTheTestEvent:
    @pytest.mark.parametrize("scheme", ["citcall", "isu", "kairos", "flynn", "whatsapp_flows"])
    def test_it_is_sealed_by_every_contract(
        self, scheme: str, make_flow: Make, actor: Actor
    ) -> None:
        flow = make_flow(scheme, callback_url="http://127.0.0.1:9/hook").flow
        delivery = operations.send_test(actor, set_up(flow).pk)
        assert delivery.event == "endpoint.test"
        (held,) = claim_due(9)
        message = channels.get("callback").prepare(held, timezone.now().timestamp())
        assert isinstance(message, channels.Message)
        assert message.headers["webhook-id"] == str(delivery.pk)
        assert settle.record([Finished(held, Result(status=200))])
        entry = AuditEntry.objects.get(verb="endpoint.test")
        assert entry.after == {"endpoint": "callback", "delivery": str(delivery.pk)}

    def test_without_a_callback_url_there_is_none(self, make_flow: Make, actor: Actor) -> None:
        endpoint = set_up(make_flow("isu").flow)
        with pytest.raises(LifecycleError, match="no callback URL"):
            operations.send_test(actor, endpoint.pk)
        assert not Delivery.objects.exists()

    def test_other_channels_have_none(self, flow: Flow, actor: Actor) -> None:
        with pytest.raises(LifecycleError, match="cannot be sent over whatsapp"):
            operations.send_test(actor, set_up(flow, channel="whatsapp").pk)
        assert not Delivery.objects.exists()
