"""Calls to one number form a line, also when they race: one after another, no password twice."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count, pairwise
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client as Http
from django.test.utils import CaptureQueriesContext

from flows_endpoint import timers
from flows_endpoint.citcall import sandbox
from flows_endpoint.citcall.models import CalledNumber, MissedCall
from flows_endpoint.models import Timer
from tests.flows_endpoint.citcall.partner import Partner, rows
from tests.support.at_once import at_once

_turn = count()
TWO_NUMBERS = {"number_pool": "02150800042 02150800043"}


def order(**more: Any) -> dict[str, Any]:
    """Return an order for the one number, unlike all others: unknown members are ignored."""
    return {"msisdn": "081200000001", "gateway": 1, "turn": next(_turn), **more}


def tokens() -> list[str]:
    """Return the passwords of the line, in its order."""
    return [sandbox._token(call) for call in MissedCall.objects.order_by("ordinal")]


def in_line() -> list[int]:
    return sorted(MissedCall.objects.values_list("ordinal", flat=True))


@pytest.mark.django_db
def test_who_saw_an_old_line_gets_the_next_place(
    make_partner: Callable[..., Partner], monkeypatch: pytest.MonkeyPatch
) -> None:
    partner = make_partner(options=TWO_NUMBERS)
    partner.call(order())
    current, looked = sandbox._call_before, []

    def late(flow_id: str, digest: str) -> MissedCall | None:
        looked.append(digest)
        # Twice as it was before the first call: another's try, and one that has no turn yet.
        return None if len(looked) <= 2 else current(flow_id, digest)

    monkeypatch.setattr(sandbox, "_call_before", late)
    assert partner.call(order())["rc"] == "00"
    assert len(looked) == 3
    assert in_line() == [1, 2]
    assert len(set(tokens())) == 2
    assert Timer.objects.count() == 2
    assert CalledNumber.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("with_id", [False, True])
def test_calls_at_once_stand_one_after_another(
    make_partner: Callable[..., Partner], with_id: bool
) -> None:
    partner = make_partner(options=TWO_NUMBERS)
    replies: list[Any] = []

    def call(number: int) -> None:
        mine = Partner.__new__(Partner)
        mine.__dict__.update(partner.__dict__, http=Http())
        for turn in range(4):
            unique_id = {"clientUniqueId": f"{number}-{turn}"} if with_id or number % 2 else {}
            replies.append(mine.call(order(**unique_id)))

    assert not at_once(*[lambda number=number: call(number) for number in range(6)])
    assert [reply["rc"] for reply in replies] == ["00"] * 24
    assert in_line() == list(range(1, 25))
    assert all(one != after for one, after in pairwise(tokens()))
    assert Timer.objects.filter(kind=sandbox.END_CALL).count() == 24


@pytest.mark.django_db(transaction=True)
def test_a_timer_that_cannot_be_kept_leaves_nothing_behind(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned, before = timers.planned, rows()

    def unfit(*what: Any) -> Timer:
        timer: Timer = planned(*what)
        timer.failures = -1
        return timer

    with monkeypatch.context() as patch:
        patch.setattr(timers, "planned", unfit)
        assert b'"rc":"34"' in partner.post(partner.data(order())).content
    assert rows() == before
    assert partner.call(order())["rc"] == "00"


@pytest.mark.django_db(transaction=True)
def test_a_call_is_one_statement_beside_a_look_at_the_line(partner: Partner) -> None:
    if connection.vendor != "postgresql" or not django_settings.REDIS_URL:
        pytest.skip("elsewhere a call is a transaction")
    partner.call(order())
    with CaptureQueriesContext(connection) as queries:
        partner.call(order())
    said = [query["sql"].split()[0] for query in queries]
    before_the_log = said[: said.index("WITH") + 1]
    assert before_the_log[-2:] == ["SELECT", "WITH"]
    assert "BEGIN" not in before_the_log
