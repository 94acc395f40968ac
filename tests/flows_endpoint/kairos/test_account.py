"""Validity and balance: 211 and 212, also when requests race or a backend fails."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from flows_endpoint.backends.base import Answer, Backend, Call
from flows_endpoint.backends.select import load
from flows_endpoint.exchange import Reason, Refusal
from flows_endpoint.kairos.errors import Code
from flows_endpoint.kairos.models import CallAllowance, OutboundCall
from tenants import lifecycle
from tenants.actors import Actor
from tests.flows_endpoint.kairos.partner import PLAIN, Partner, a_call, counts, error

Make = Callable[..., Partner]


@pytest.mark.django_db
@pytest.mark.parametrize(("days", "code"), [(-1, 211), (0, 200), (1, 200)])
def test_the_last_day_counts_in_full(make_partner: Make, days: int, code: int) -> None:
    day = datetime.now(UTC).date() + timedelta(days=days)
    partner = make_partner(options={"valid_until": day.isoformat()})
    assert partner.plain(partner.request())["api-response-code"] == code
    assert OutboundCall.objects.count() == (code == 200)


@pytest.mark.django_db
def test_the_balance_is_used_up_by_accepted_calls(make_partner: Make) -> None:
    partner = make_partner(options={"balance": 3})
    two = partner.request(a_call("a"), a_call("b"))
    assert partner.plain(two)["api-response-code"] == 200
    before = counts()
    more = partner.request(a_call("c"), a_call("d"))
    assert partner.post(PLAIN, more).content == error(Code.INSUFFICIENT_BALANCE)
    assert counts() == before
    assert partner.plain(partner.request(a_call("e")))["api-response-code"] == 200
    assert partner.plain(partner.request(a_call("f")))["api-response-code"] == 212
    assert CallAllowance.objects.get().used == 3
    _raise_balance(partner, 4)
    assert partner.plain(partner.request(a_call("f")))["api-response-code"] == 200


@pytest.mark.django_db
@pytest.mark.parametrize("calls", [[], None, "x"], ids=repr)
def test_an_empty_balance_refuses_whatever_comes(make_partner: Make, calls: Any) -> None:
    partner = make_partner(options={"balance": 0})
    assert partner.plain(partner.request(calls=calls))["api-response-code"] == 212


@pytest.mark.django_db
def test_a_list_longer_than_any_balance(make_partner: Make) -> None:
    partner = make_partner(options={"balance": 3})
    answer = partner.plain(partner.request(*[a_call(str(at)) for at in range(600)]))
    assert answer["api-response-code"] == 212


@pytest.mark.django_db
def test_refused_and_rejected_calls_cost_nothing(make_partner: Make) -> None:
    partner = make_partner(options={"balance": 2})
    assert partner.plain(partner.request(a_call("x", "1")))["api-response-code"] == 205
    assert not CallAllowance.objects.exists()
    mixed = partner.request(a_call("bad", "1"), a_call("good"))
    assert partner.plain(mixed)["api-response-code"] == 209
    assert CallAllowance.objects.get().used == 1


@pytest.mark.django_db
def test_without_a_balance_nothing_is_counted(partner: Partner) -> None:
    partner.plain(partner.request())
    assert not CallAllowance.objects.exists()


class Slow(Backend):
    """Stands outside the transaction, as an upstream does."""

    atomic = False
    reply: Any = None

    def handle(self, call: Call) -> Answer:
        if self.reply is None:
            raise Refusal(Reason.UPSTREAM_SLOW)
        return Answer(self.reply)


ACCEPTED_ONE = {
    "api-response-code": 209,
    "api-response-message": "Partial Success",
    "request-id": "r",
    "call-details": [{"client-identifier": "a", "phonon-uuid": "u"}],
}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("reply", "code", "used"),
    [
        (None, 206, 0),
        ({"api-response-code": 207, "api-response-message": "DID Not Mapped"}, 207, 0),
        (ACCEPTED_ONE, 209, 1),
        ({"status": "queued"}, None, 2),
    ],
    ids=["down", "error", "partial", "own form"],
)
def test_outside_a_transaction_the_balance_is_given_back(
    make_partner: Make, monkeypatch: pytest.MonkeyPatch, reply: Any, code: int | None, used: int
) -> None:
    partner = make_partner(
        options={"balance": 2}, backend="python", backend_class=f"{__name__}.{Slow.__name__}"
    )
    monkeypatch.setattr(load(f"{__name__}.{Slow.__name__}"), "reply", reply)
    payload = partner.request(a_call("a"), a_call("b"))
    answer = partner.plain(payload)
    assert answer.get("api-response-code") == code
    assert CallAllowance.objects.get().used == used
    # What was not accepted may come again; what was, may not.
    again = partner.plain(payload)
    assert again.get("api-response-code") == (code if used == 0 else 201)


@pytest.mark.django_db(transaction=True)
def test_racing_requests_never_overdraw(make_partner: Make) -> None:
    partner = make_partner(options={"balance": 5})
    start = threading.Barrier(8)
    seen: Counter[int] = Counter()

    def send(at: int) -> None:
        try:
            start.wait()
            reply = partner.post(PLAIN, partner.request(a_call(f"order-{at}")))
            seen[json.loads(reply.content)["api-response-code"]] += 1
        finally:
            connection.close()

    threads = [threading.Thread(target=send, args=(at,)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {200: 5, 212: 3}
    assert OutboundCall.objects.count() == 5


def _raise_balance(partner: Partner, balance: int) -> None:
    options = {"rsa_bits": 2048, "balance": balance}
    lifecycle.update_flow(Actor("op"), partner.flow, {"options": options})
