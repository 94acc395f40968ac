"""Who may call from where, and how often one may fail."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flows_endpoint.models import AttemptCount, ExchangeRow
from tests.flows_endpoint.citcall.partner import NOT_AUTHORIZED, Partner, rows

pytestmark = pytest.mark.django_db


def test_only_allowed_networks_may_call(make_partner: Callable[..., Partner]) -> None:
    partner = make_partner(allowed_networks=["203.0.113.0/24", "2001:db8::/32"])
    before = rows()
    data = partner.data()
    for address in ("198.51.100.7", "203.0.114.1", "2001:db9::1", ""):
        assert partner.post(data, REMOTE_ADDR=address).content == NOT_AUTHORIZED
    assert rows() == before
    assert AttemptCount.objects.count() == 0
    assert b'"data"' in partner.post(data, REMOTE_ADDR="203.0.113.9").content
    assert (
        b'"data"'
        in partner.post(
            partner.data({"msisdn": "081200000002", "gateway": 1}), REMOTE_ADDR="2001:db8::9"
        ).content
    )


def test_a_forwarded_address_is_not_believed(make_partner: Callable[..., Partner]) -> None:
    partner = make_partner(allowed_networks=["203.0.113.0/24"])
    response = partner.post(REMOTE_ADDR="198.51.100.7", HTTP_X_FORWARDED_FOR="203.0.113.9")
    assert response.content == NOT_AUTHORIZED


@pytest.fixture
def limited(make_partner: Callable[..., Partner], monkeypatch: pytest.MonkeyPatch) -> Partner:
    """A partner that may fail three times a minute; the minute stands still."""
    monkeypatch.setattr("flows_endpoint.guards.attempts.time.time", lambda: 1_700_000_030.0)
    return make_partner(options={"attempts_per_minute": 3})


def test_too_many_failures_close_the_door_for_that_address(limited: Partner) -> None:
    wrong = "Basic " + "eDp5"
    for _ in range(5):
        assert limited.post(header=wrong).content == b'{"rc":"77","info":"Userid not found"}'
    assert AttemptCount.objects.count() == 0, "nobody's userid, nobody's attempts"
    for _ in range(3):
        assert limited.post("AAAA").content == NOT_AUTHORIZED
    good = limited.data()
    assert limited.post(good).content == NOT_AUTHORIZED
    assert ExchangeRow.objects.order_by("-id")[0].reason == "rate"
    assert b'"data"' in limited.post(good, REMOTE_ADDR="198.51.100.7").content
    assert AttemptCount.objects.get().count == 3


def test_the_next_minute_is_a_new_one(limited: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(4):
        limited.post("AAAA")
    monkeypatch.setattr("flows_endpoint.guards.attempts.time.time", lambda: 1_700_000_090.0)
    assert b'"data"' in limited.post().content


def test_wrong_keys_stale_times_and_replays_count(limited: Partner) -> None:
    data = limited.data()
    limited.post(data)
    key, limited.key = limited.key, "0" * 32
    assert b'"96"' in limited.post().content
    limited.key = key
    assert limited.post(data).content == NOT_AUTHORIZED
    assert limited.post(limited.data(now=1_000_000_000)).content == NOT_AUTHORIZED
    assert AttemptCount.objects.get().count == 3


def test_mistakes_in_the_order_do_not_count(limited: Partner) -> None:
    for number in range(6):
        assert limited.call({"msisdn": str(number), "gateway": 1})["rc"] == "06"
    assert limited.post(body=b"{}").content == b'{"rc":"88","info":"Missing parameter"}'
    assert AttemptCount.objects.count() == 0
    assert limited.call()["rc"] == "00"
