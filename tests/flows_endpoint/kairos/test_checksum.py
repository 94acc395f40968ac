"""A payload identical to one already accepted is 201, and only then."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest

from flows_endpoint.kairos.errors import Code
from flows_endpoint.kairos.models import OutboundCall
from flows_endpoint.models import ReplayMark
from tests.flows_endpoint.kairos.partner import (
    DIALER_PLAIN,
    PLAIN,
    SEALED,
    Partner,
    a_call,
    counts,
    error,
)
from tests.support.at_once import at_once

Make = Callable[..., Partner]


@pytest.mark.django_db
def test_the_same_bytes_again_are_201_and_change_nothing(partner: Partner) -> None:
    raw = json.dumps(partner.request()).encode()
    assert (
        json.loads(partner.post(SEALED, partner.seal_text(raw)).content)["api-response-code"] == 200
    )
    before = counts()
    # Another key string, another address, no encryption: what counts is the opened text.
    for path, body in (
        (SEALED, partner.seal_text(raw)),
        (SEALED, partner.seal_text(raw, "another-key")),
        (PLAIN, raw),
        (DIALER_PLAIN, raw),
    ):
        reply = partner.post(path, body)
        assert (reply.status_code, reply.content) == (200, error(Code.CHECKSUM_REPEATED))
    assert counts() == before


@pytest.mark.django_db
def test_any_other_bytes_are_another_request(partner: Partner) -> None:
    payload = partner.request()
    assert partner.plain(payload)["api-response-code"] == 200
    assert partner.post(PLAIN, json.dumps(payload, indent=1).encode()).status_code == 200
    assert partner.plain(partner.request(a_call("order-2")))["api-response-code"] == 200
    assert OutboundCall.objects.count() == 3


@pytest.mark.django_db
def test_the_guard_is_the_flows_own(partner: Partner, make_partner: Make) -> None:
    other = make_partner()
    payload = partner.request()
    assert partner.plain(payload)["api-response-code"] == 200
    payload.update({"flow-id": other.flow_id, "security-id": other.security_id})
    assert other.plain(payload)["api-response-code"] == 200


@pytest.mark.django_db
def test_what_was_refused_may_come_again(make_partner: Make) -> None:
    partner = make_partner(options={"test_phone_numbers": ["910000000016"]})
    wrong = partner.request(a_call("order", "910000000017"), **{"api-version": "TEST"})
    for _ in range(2):
        assert partner.plain(wrong)["api-response-code"] == 402
    assert not ReplayMark.objects.exists()


@pytest.mark.django_db
def test_the_window_ends(make_partner: Make) -> None:
    partner = make_partner(options={"checksum_window": 60})
    payload = partner.request()
    assert partner.plain(payload)["api-response-code"] == 200
    assert partner.plain(payload)["api-response-code"] == 201
    mark = ReplayMark.objects.get()
    ReplayMark.objects.update(expires_at=mark.expires_at - 61)
    assert partner.plain(payload)["api-response-code"] == 200


@pytest.mark.django_db
def test_the_window_is_a_day_unless_told_otherwise(partner: Partner) -> None:
    partner.plain(partner.request())
    assert ReplayMark.objects.get().expires_at == pytest.approx(time.time() + 86_400, abs=60)


@pytest.mark.django_db(transaction=True)
def test_of_racing_twins_exactly_one_wins(partner: Partner) -> None:
    raw = json.dumps(partner.request()).encode()
    bodies = [partner.seal_text(raw) for _ in range(8)]
    seen: Counter[int] = Counter()

    def send(body: bytes) -> None:
        seen[json.loads(partner.post(SEALED, body).content)["api-response-code"]] += 1

    assert at_once(*(partial(send, body) for body in bodies)) == []
    assert seen == {200: 1, 201: 7}
    assert OutboundCall.objects.count() == 1
