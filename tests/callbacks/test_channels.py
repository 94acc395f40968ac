"""A channel of another app: prepared, judged and told of each result by the same engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from callbacks import channels, claim, settle, tasks
from callbacks.channels import Channel, Message, Result
from callbacks.models import Delivery
from callbacks.outbox import enqueue
from callbacks.settle import Finished
from callbacks.transport import HttpAnswer
from tenants.lifecycle import IssuedFlow
from tenants.models import Client, Flow
from tests.callbacks.outbox import change, expire_lease, put, row
from tests.support.receiver import Receiver, Reply

Make = Callable[..., IssuedFlow]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("outbound")]


class Pigeon(Channel):
    """Posts the body as text; ``coo`` means taken; the business row is the client's notes."""

    name = "pigeon"

    def __init__(self, url: str) -> None:
        self.url = url
        self.on_refusal = Result()

    def prepare(self, delivery: Delivery, now: float) -> Message | Result:
        body = str(channels.opened_body(delivery)).encode()
        return Message(self.url, body, {"X-At": str(int(now)), "X-Id": str(delivery.pk)})

    def judge(self, delivery: Delivery, answer: HttpAnswer) -> Result:
        return Result(status=answer.status) if answer.body == b"coo" else self.on_refusal

    def settled(self, delivery: Delivery, result: Result) -> None:
        notes = f"{delivery.state}:{result.error}"
        Client.objects.filter(flows=delivery.flow_id).update(notes=notes)


@pytest.fixture
def pigeon(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pigeon]:
    monkeypatch.setattr(channels, "_channels", dict(channels._channels))
    monkeypatch.setattr(tasks.deliver_due, "delay", lambda: None)
    made = Pigeon(receiver.url)
    channels.register(made)
    yield made


@pytest.fixture
def flow(make_flow: Make) -> Flow:
    return make_flow("citcall").flow  # without a callback URL


def notes(flow: Flow) -> str:
    return Client.objects.get(pk=flow.client_id).notes


def test_it_is_sent_and_the_business_row_says_so(
    pigeon: Pigeon, flow: Flow, receiver: Receiver
) -> None:
    receiver.next(Reply(status=500, body=b"coo"))
    delivery = put(flow, "hello", channel="pigeon")
    assert delivery.channel == "pigeon"
    tasks.deliver_due()
    (request,) = receiver.requests
    assert request.body == b"hello"
    assert request.headers["x-id"] == str(delivery.pk)
    assert change(delivery).state == "delivered"
    assert notes(flow) == "delivered:"


@pytest.mark.parametrize(
    ("result", "state", "wait"),
    [
        (Result(error="busy", wait=timedelta(seconds=64)), "pending", 64),
        (Result(error="busy", rest=timedelta(minutes=5)), "pending", 300),
        (Result(error="unknown_number", is_permanent=True), "failed", None),
        (Result(error="x", is_permanent=True, wait=timedelta(seconds=5)), "failed", None),
    ],
)
def test_the_channel_says_what_follows_from_a_failure(
    pigeon: Pigeon, flow: Flow, result: Result, state: str, wait: int | None
) -> None:
    pigeon.on_refusal = result
    delivery = put(flow, "hello", channel="pigeon")
    before = timezone.now()
    tasks.deliver_due()
    after = change(delivery)
    assert (after.state, after.last_error) == (state, result.error)
    assert notes(flow) == f"{state}:{result.error}"
    if wait is not None:
        assert after.next_attempt_at is not None
        waits = (after.next_attempt_at - before).total_seconds()
        assert wait <= waits < wait + 5


def test_a_wait_does_not_lengthen_the_schedule(pigeon: Pigeon, flow: Flow) -> None:
    pigeon.on_refusal = Result(error="busy", wait=timedelta(0))
    delivery = put(flow, "hello", channel="pigeon")
    change(delivery, step=12)
    tasks.deliver_due()
    assert change(delivery).state == "failed"


def test_what_the_channel_cannot_record_is_not_recorded_at_all(
    pigeon: Pigeon, flow: Flow, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.default = Reply(body=b"coo")
    delivery = put(flow, "hello", channel="pigeon")
    told = Pigeon.settled

    def fail(self: Pigeon, delivery: Delivery, result: Result) -> None:
        told(self, delivery, result)
        raise RuntimeError("s3cr3t")

    monkeypatch.setattr(Pigeon, "settled", fail)
    tasks.deliver_due()
    held = change(delivery)
    assert (held.state, notes(flow)) == ("pending", "")
    assert held.lease_token is not None
    monkeypatch.setattr(Pigeon, "settled", told)
    expire_lease(delivery)
    tasks.deliver_due()
    assert (change(delivery).state, notes(flow)) == ("delivered", "delivered:")


def test_a_late_result_is_not_told(pigeon: Pigeon, flow: Flow) -> None:
    delivery = put(flow, "hello", channel="pigeon")
    (first,) = claim.claim_due(1)
    expire_lease(delivery)
    claim.claim_due(1)
    assert settle.record([Finished(first, Result(status=200))]) == []
    assert notes(flow) == ""


def test_a_channel_nobody_registered_waits_for_who_knows_it(flow: Flow, pigeon: Pigeon) -> None:
    with pytest.raises(KeyError), transaction.atomic():
        enqueue(str(flow.pk), "letter", "x", channel="owl")
    assert not Delivery.objects.exists()
    delivery = change(put(flow, "x", channel="pigeon"), channel="owl")
    tasks.deliver_due()
    after = change(delivery)
    assert (after.state, after.last_error) == ("pending", "unknown_channel")


def test_a_channel_can_decline(pigeon: Pigeon, flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pigeon, "is_wanted", lambda self, flow: False)
    with transaction.atomic():
        assert enqueue(str(flow.pk), "letter", "x", channel="pigeon") is None
    assert not Delivery.objects.exists()


def test_callback_comes_first_by_name(pigeon: Pigeon) -> None:
    assert channels.names()[0] == "callback"
    assert "pigeon" in channels.names()


def test_a_delivery_that_names_no_channel_is_a_callback(flow: Flow, make_flow: Make) -> None:
    delivery = put(make_flow("kairos", callback_url="http://127.0.0.1:9/").flow)
    assert (row(delivery)["channel"], row(delivery)["lane"]) == ("callback", "")
