"""A recorded request sent again gets the reply it got, or none: no second text under one key."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError

from callbacks.models import Delivery
from flows_endpoint import housekeeping
from flows_endpoint.exchange import Reason, Refusal
from flows_endpoint.models import ExchangeRow
from flows_endpoint.whatsapp_flows import sealings
from flows_endpoint.whatsapp_flows.models import Appointment, SealMark, StepReply
from tenants import lifecycle
from tenants.actors import Actor
from tests.flows_endpoint.whatsapp_flows import test_appointment_story as story
from tests.flows_endpoint.whatsapp_flows.conftest import MakePhone, calls
from tests.flows_endpoint.whatsapp_flows.platform import TOKEN, Phone, business_rows
from tests.support import key_life
from tests.support.at_once import at_once

pytestmark = pytest.mark.django_db


def payload(action: str = "data_exchange", **changes: Any) -> dict[str, Any]:
    step = {"version": "3.0", "action": action, "screen": "FORM", "data": {}, "flow_token": TOKEN}
    return step | changes


def _log() -> tuple[str, str, str]:
    row = ExchangeRow.objects.order_by("-id")[0]
    return row.outcome, row.reason, row.step


@pytest.mark.parametrize("action", ["INIT", "BACK", "data_exchange"])
def test_another_answer_is_not_sealed_under_the_same_key(scripted: MakePhone, action: str) -> None:
    phone = scripted()
    sent = phone.seal(payload(action))
    first = phone.post(sent.body)
    StepReply.objects.all().delete()  # the window is over
    before = business_rows()
    again = phone.post(sent.body)
    assert (first.status_code, again.status_code, again.content) == (200, 500, b"")
    assert _log() == ("refused", "replayed", "second reply")
    if "Atomic" in phone.flow.backend_class:
        assert business_rows() == before
    # The same step under a key of its own is served.
    assert phone.send(payload(action)).status == 200


@pytest.mark.parametrize("action", ["INIT", "BACK", "data_exchange"])
def test_the_same_answer_goes_out_again(scripted: MakePhone, action: str) -> None:
    phone = scripted(lambda _: {"screen": "NEXT", "data": {"a": "é"}})
    sent = phone.seal(payload(action))
    replies = set()
    for _ in range(3):
        StepReply.objects.all().delete()
        response = phone.post(sent.body)
        replies.add((response.status_code, response.content))
    assert len(replies) == 1
    assert len(calls()) == 3
    assert SealMark.objects.count() == 1


def test_the_end_of_a_form_is_not_given_away_by_its_refusal(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text of a 427 is known: sealed under the same key it would uncover the first reply."""
    monkeypatch.setattr("flows_endpoint.whatsapp_flows.slots._TAKEN_BEFOREHAND", 0)
    data = {**story._chosen(), **story.PERSON, "terms": True}
    sent = phone.seal(payload(screen="SUMMARY", data=data))
    assert phone.post(sent.body).status_code == 200
    StepReply.objects.all().delete()
    again = phone.post(sent.body)
    assert (again.status_code, again.content) == (500, b"")
    assert _log() == ("refused", "replayed", "second reply")
    assert Appointment.objects.count() == Delivery.objects.count() == 1


def _script(*answers: Any) -> Callable[[Any], Any]:
    left = list(answers)

    def script(_: Any) -> Any:
        answer = left.pop(0)
        if isinstance(answer, str):
            raise Refusal(Reason.BUSINESS, 427, extra=answer)
        return answer

    return script


def test_nor_is_a_refusal_by_an_answer_or_another_refusal(scripted: MakePhone) -> None:
    screen = {"screen": "NEXT", "data": {}}
    phone = scripted(_script("Come back later.", "Come back later.", "Closed.", screen))
    sent = phone.seal(payload())
    seen = [phone.post(sent.body) for _ in range(4)]
    assert [response.status_code for response in seen] == [427, 427, 500, 500]
    assert seen[0].content == seen[1].content
    assert seen[2].content == seen[3].content == b""
    assert len(calls()) == 4


def test_a_plain_refusal_seals_nothing(make_phone: MakePhone) -> None:
    phone = make_phone(options={"error_427_body": "plain"})
    assert phone.step("FORM", {}, token="expired-1").status == 427
    assert not SealMark.objects.exists()


def test_a_refusal_that_cannot_be_marked_does_not_go_out(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> bool:
        raise DatabaseError

    monkeypatch.setattr(sealings, "is_first", fail)
    reply = phone.step("FORM", {}, token="expired-1")
    assert (reply.status, reply.body) == (500, b"")


def test_the_fixed_replies_need_no_mark(phone: Phone) -> None:
    ping = {"version": "3.0", "action": "ping"}
    report = payload("navigate", data={"error": "payload-schema-error"})
    for value in (ping, report):
        sent = phone.seal(value)
        first, again = phone.post(sent.body), phone.post(sent.body)
        assert first.status_code == again.status_code == 200
        assert first.content == again.content
    assert not SealMark.objects.exists()


def test_marks_go_when_the_key_opens_nothing_any_more(
    scripted: MakePhone, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealings, "_BATCH", 2)
    phone = scripted()
    for n in range(5):
        phone.step("FORM", {"n": n})
    new = lifecycle.generate_key(actor, phone.flow, "whatsapp_rsa")
    phone.public_key = new.secret
    phone.step("FORM", {"n": 5})
    lifecycle.promote_key(actor, new.key, overlap=timedelta(days=1))
    housekeeping.run(time.time())
    assert SealMark.objects.count() == 6
    housekeeping.run(time.time() + 86_400 + 60)
    assert SealMark.objects.get().key_id == new.key.pk
    key_life.revoke(actor, new.key, reason="lost")
    housekeeping.run(time.time())
    assert not SealMark.objects.exists()


def test_a_mark_tells_nothing(scripted: MakePhone) -> None:
    phone = scripted()
    sent = phone.seal(payload())
    session: Any = sent.context
    phone.post(sent.body)
    row = repr(SealMark.objects.values().get())
    for secret in (session.key, session.iv, session.key + session.iv):
        assert secret.hex() not in row


@pytest.mark.django_db(transaction=True)
def test_sent_at_once_one_text_goes_out(scripted: MakePhone) -> None:
    numbers = iter(range(100))
    phone = scripted(lambda _: {"screen": "NEXT", "data": {"n": next(numbers)}})
    phone.step("WARM", {})
    body = phone.seal(payload("INIT")).body
    seen: list[Any] = []
    assert at_once(*[lambda: seen.append(phone.post(body))] * 4) == []
    assert sorted(response.status_code for response in seen) == [200, 500, 500, 500]
    assert len({response.content for response in seen if response.content}) == 1
