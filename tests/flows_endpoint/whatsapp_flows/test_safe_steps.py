"""Steps that change nothing: asked without a transaction, and still one reply for everybody."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from callbacks.models import Delivery
from flows_endpoint.exchange import Reason, Refusal
from flows_endpoint.models import ExchangeRow
from flows_endpoint.whatsapp_flows.errors import INVALID_TOKEN
from flows_endpoint.whatsapp_flows.models import SealMark, StepReply
from tests.flows_endpoint.whatsapp_flows.conftest import MakePhone, calls
from tests.flows_endpoint.whatsapp_flows.platform import TOKEN
from tests.support.at_once import at_once

pytestmark = pytest.mark.django_db

STEP = {"version": "3.0", "action": "data_exchange", "screen": "FORM", "data": {}}


def _counting(_: Any) -> Any:
    return {"screen": "NEXT", "data": {"n": len(calls())}}


def _log() -> tuple[str, str, str]:
    row = ExchangeRow.objects.order_by("-id")[0]
    return row.outcome, row.reason, row.step


def test_the_first_reply_comes_again_though_the_answer_is_another_by_now(safe: MakePhone) -> None:
    phone = safe(_counting)
    first, again = phone.step("FORM", {"a": 1}), phone.step("FORM", {"a": 1})
    assert first.value == again.value == {"screen": "NEXT", "data": {"n": 1}}
    assert first.body != again.body  # sealed under the key of the new request
    assert len(calls()) == 2
    assert StepReply.objects.count() == 1


def test_the_first_reply_comes_again_though_the_step_is_refused_by_now(safe: MakePhone) -> None:
    def script(_: Any) -> Any:
        if len(calls()) > 1:
            raise Refusal(Reason.BUSINESS, INVALID_TOKEN)
        return {"screen": "NEXT", "data": {}}

    phone = safe(script)
    first, again = phone.step("FORM", {}), phone.step("FORM", {})
    assert (first.status, again.status) == (200, 200)
    assert first.value == again.value
    # Another step is refused.
    assert phone.step("OTHER", {}).status == 427


def test_a_refused_step_is_not_remembered(safe: MakePhone) -> None:
    def script(_: Any) -> Any:
        if len(calls()) == 1:
            raise Refusal(Reason.BUSINESS, INVALID_TOKEN)
        return {"screen": "NEXT", "data": {}}

    phone = safe(script)
    assert phone.step("FORM", {}).status == 427
    assert not StepReply.objects.exists()
    assert phone.step("FORM", {}).status == 200


def test_no_transaction_and_one_statement(safe: MakePhone) -> None:
    phone = safe(_counting)
    phone.step("WARM", {})
    with CaptureQueriesContext(
        connection,
    ) as seen:
        assert phone.step("FORM", {}).status == 200
    said = [query["sql"] for query in seen]
    mine = [sql for sql in said if "stepreply" in sql or "sealmark" in sql]
    assert not any(sql.startswith("SAVEPOINT") for sql in said[: said.index(mine[0])])
    assert len(mine) == (1 if connection.vendor == "postgresql" else 2)


def test_of_steps_sent_at_once_one_reply_is_everybodys(
    safe: MakePhone, transactional_db: None
) -> None:
    together = threading.Barrier(3, timeout=20)

    def script(call: Any) -> Any:
        if call.payload["screen"] == "WARM":
            return {"screen": "NEXT", "data": {}}
        together.wait()
        return {"screen": "NEXT", "data": {"n": call.request_id}}

    phone = safe(script)
    phone.step("WARM", {})
    replies: list[Any] = []
    assert at_once(*[lambda: replies.append(phone.step("FORM", {}))] * 3) == []
    assert [reply.status for reply in replies] == [200, 200, 200]
    assert len({reply.value["data"]["n"] for reply in replies}) == 1
    assert len({reply.body for reply in replies}) == 3


def test_a_recorded_request_gets_no_second_reply_and_leaves_no_step(safe: MakePhone) -> None:
    phone = safe(_counting)
    sent = phone.seal(STEP | {"flow_token": TOKEN})
    assert phone.post(sent.body).status_code == 200
    StepReply.objects.all().delete()  # the window is over
    again = phone.post(sent.body)
    assert (again.status_code, again.content) == (500, b"")
    assert _log() == ("refused", "replayed", "second reply")
    assert not StepReply.objects.exists()
    assert SealMark.objects.count() == 1


def test_a_recorded_request_gets_its_own_reply_again(safe: MakePhone) -> None:
    phone = safe(_counting)
    sent = phone.seal(STEP | {"flow_token": TOKEN})
    first, again = phone.post(sent.body), phone.post(sent.body)
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.content == again.content


def test_a_step_that_somebody_holds_is_not_answered_beside_them(safe: MakePhone) -> None:
    phone = safe(_counting)
    phone.step("FORM", {})
    StepReply.objects.update(reply=b"", owner="another", expires_at=time.time() + 30)
    marks = SealMark.objects.count()
    assert phone.step("FORM", {}).status == 500
    assert _log() == ("failed", "unavailable", "same step in progress")
    assert StepReply.objects.get().owner == "another"
    assert SealMark.objects.count() == marks


def test_a_step_that_ends_the_form_is_not_safe_whatever_the_backend_says(safe: MakePhone) -> None:
    phone = safe(
        lambda _: {
            "screen": "SUCCESS",
            "data": {"extension_message_response": {"params": {"flow_token": TOKEN}}},
        },
        callback_url="https://partner.example/callback",
    )
    assert phone.step("FORM", {}).status == 500
    assert _log() == ("failed", "internal", "a safe step ended the form")
    assert not Delivery.objects.exists()
    assert not StepReply.objects.exists()
