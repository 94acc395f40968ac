"""The operation: what is queued, what is answered, and what stays sealed."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from crypto_schemes.citcall import AuthorizationForm
from flows_endpoint.citcall.models import CallState, FirstReply, MissedCall
from flows_endpoint.guards import replay
from flows_endpoint.models import ExchangeRow, Timer
from tenants import at_rest
from tenants.models import Key
from tests.flows_endpoint.citcall.partner import Partner, rows

pytestmark = pytest.mark.django_db


def test_a_call_is_queued_and_answered_in_the_contracts_order(partner: Partner) -> None:
    reply = partner.call()
    assert list(reply) == ["rc", "info", "trxid", "msisdn", "token", "gateway", "clientUniqueId"]
    assert reply | {"trxid": "", "token": ""} == {
        "rc": "00",
        "info": "success",
        "trxid": "",
        "msisdn": "+6281200000001",
        "token": "",
        "gateway": 1,
        "clientUniqueId": "A-1",
    }
    assert re.fullmatch(r"0215080[0-9]{4}", reply["token"])
    assert re.fullmatch(r"[0-9]{26}", reply["trxid"])
    stamp = datetime.strptime(reply["trxid"][:14] + "+0700", "%Y%m%d%H%M%S%z")
    assert abs(timezone.now() - stamp) < timedelta(seconds=5)


def test_the_sealed_reply_is_data_alone(partner: Partner) -> None:
    response = partner.post()
    assert list(json.loads(response.content)) == ["data"]
    assert re.fullmatch(rb'\{"data":"[A-Za-z0-9_-]+"\}', response.content)
    assert response["Cache-Control"] == "no-store"


def test_without_an_id_the_reply_has_none_and_nothing_is_remembered(partner: Partner) -> None:
    reply = partner.call({"msisdn": "+62 812-0000-0001", "gateway": 4})
    assert list(reply) == ["rc", "info", "trxid", "msisdn", "token", "gateway"]
    assert (reply["msisdn"], reply["gateway"]) == ("+6281200000001", 4)
    assert FirstReply.objects.count() == 0


def test_trxid_is_an_option(make_partner: Callable[..., Partner]) -> None:
    partner = make_partner(options={"reply_trxid": False})
    assert list(partner.call()) == ["rc", "info", "msisdn", "token", "gateway", "clientUniqueId"]


@pytest.mark.parametrize("form", list(AuthorizationForm))
def test_all_three_headers_lead_to_the_flow(partner: Partner, form: AuthorizationForm) -> None:
    assert partner.call(header=partner.header(form))["rc"] == "00"


def test_a_folded_header_and_a_charset_are_taken(partner: Partner) -> None:
    header = partner.header()
    reply = partner.call(
        header=f"{header[:20]} {header[20:]}", content_type="Application/JSON; charset=utf-8"
    )
    assert reply["rc"] == "00"


def test_one_call_is_one_row_with_a_timer(partner: Partner) -> None:
    reply = partner.call({"msisdn": "081200000001", "gateway": 2})
    call = MissedCall.objects.get()
    assert (call.trxid, call.ordinal, call.state) == (reply["trxid"], 1, CallState.QUEUED)
    timer = Timer.objects.get()
    assert (timer.kind, timer.subject) == ("citcall.end_call", str(call.id))
    assert 4 <= (timer.due_at - call.created_at).total_seconds() <= 12


def test_personal_data_stands_nowhere_in_clear(partner: Partner) -> None:
    reply = partner.call()
    call, first = MissedCall.objects.get(), FirstReply.objects.get()
    opened = json.loads(at_rest.open_sealed(call.details, call.at_rest_context))
    assert opened == {
        "msisdn": "+6281200000001",
        "token": reply["token"],
        "gateway": 1,
        "clientUniqueId": "A-1",
    }
    assert json.loads(at_rest.open_sealed(first.reply, first.at_rest_context)) == reply
    shown = repr([list(model.objects.values()) for model in (MissedCall, FirstReply, Timer)])
    for secret in ("81200000001", reply["token"], "A-1"):
        assert secret not in shown
        assert secret.encode() not in bytes(call.details) + bytes(first.reply)


def test_sealed_details_open_in_no_other_row(partner: Partner) -> None:
    partner.call()
    partner.call({"msisdn": "081200000002", "gateway": 1})
    one, other = MissedCall.objects.all()
    with pytest.raises(at_rest.AtRestError):
        at_rest.open_sealed(one.details, other.at_rest_context)


def test_the_exchange_log_says_what_happened(partner: Partner) -> None:
    partner.call()
    row = ExchangeRow.objects.get()
    assert (row.operation, row.outcome, row.code, row.http_status, row.key_versions) == (
        "asynccall",
        "ok",
        "00",
        200,
        "api_key v1",
    )
    assert Key.objects.get(purpose="api_key").use_count == 1


def test_the_same_data_twice_is_refused(partner: Partner) -> None:
    data = partner.data({"msisdn": "081200000001", "gateway": 1})
    first = partner.post(data)
    before = rows()
    again = partner.post(data)
    padded = partner.post(data.replace("-", "+").replace("_", "/") + "=" * (-len(data) % 4))
    assert json.loads(first.content).keys() == {"data"}
    assert again.content == padded.content == b'{"rc":"98","info":"Authorization failed"}'
    assert rows() == before


@pytest.mark.parametrize("offset", [0, -470, 470])
def test_a_mark_outlives_its_message_also_where_clocks_differ(
    partner: Partner, monkeypatch: pytest.MonkeyPatch, offset: int
) -> None:
    asked: list[float] = []
    real = replay.claim

    def claim(flow_id: str, kind: str, thing: bytes, seconds: float, **how: Any) -> Any:
        asked.append(seconds)
        return real(flow_id, kind, thing, seconds, **how)

    monkeypatch.setattr(replay, "claim", claim)
    order = {"msisdn": "081200000001", "gateway": 1}
    assert partner.call(order, now=time.time() + offset)["rc"] == "00"
    (seconds,) = asked
    assert 480 + offset + 3 <= seconds <= 480 + offset + 6


def test_a_request_that_failed_may_be_sent_again(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: Any) -> None:
        raise RuntimeError

    data, before = partner.data(), rows()
    with monkeypatch.context() as broken:
        broken.setattr("flows_endpoint.citcall.sandbox._planned", down)
        assert partner.post(data).content == b'{"rc":"06","info":"Unknown error"}'
    assert rows() == before
    assert b'"data"' in partner.post(data).content


def test_a_number_never_gets_the_same_password_twice_running(
    make_partner: Callable[..., Partner],
) -> None:
    partner = make_partner(options={"number_pool": "02150800042 02150800043"})
    order = {"msisdn": "081200000001", "gateway": 1}
    tokens = [partner.call(order | {"clientUniqueId": str(n)})["token"] for n in range(12)]
    assert all(one != after for one, after in pairwise(tokens))
    assert sorted(MissedCall.objects.values_list("ordinal", flat=True)) == list(range(1, 13))


def test_calls_to_one_number_stand_in_line(partner: Partner) -> None:
    partner.call()
    call = MissedCall.objects.get()
    call.pk, call.trxid = uuid.uuid4(), "0" * 26
    with pytest.raises(IntegrityError, match=r"(?i)unique"), transaction.atomic():
        call.save(force_insert=True)


def test_an_ended_call_has_an_outcome(partner: Partner) -> None:
    partner.call()
    with pytest.raises(IntegrityError, match="missed_call_ended"), transaction.atomic():
        MissedCall.objects.update(state=CallState.ENDED)
