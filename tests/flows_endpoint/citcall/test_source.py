"""Who may call from where, and how often one may fail."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flows_endpoint.models import AttemptCount, ExchangeRow
from tests.flows_endpoint.citcall.partner import NOT_AUTHORIZED, Partner, encoded, rows

pytestmark = pytest.mark.django_db
NOON = 1_700_000_030.0


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
    """A partner whose key may be guessed at three times a minute; the minute stands still."""
    monkeypatch.setattr("flows_endpoint.guards.attempts.time.time", lambda: NOON)
    return make_partner(options={"attempts_per_minute": 3})


def guess(partner: Partner) -> bytes:
    """Send a good request with a wrong key in its header, and return the reply."""
    header = encoded(f"{partner.userid}:" + "0" * 32)
    return bytes(partner.post(header=header).content)


def test_guessing_closes_the_door_for_that_address(limited: Partner) -> None:
    for _ in range(3):
        assert guess(limited) == b'{"rc":"96","info":"Apikey not found or non active"}'
    assert guess(limited) == NOT_AUTHORIZED
    good = limited.data()
    assert limited.post(good).content == NOT_AUTHORIZED
    assert ExchangeRow.objects.order_by("-id")[0].reason == "rate"
    assert b'"data"' in limited.post(good, REMOTE_ADDR="198.51.100.7").content
    assert AttemptCount.objects.get().count == 3


def test_the_next_minute_is_a_new_one(limited: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(4):
        guess(limited)
    monkeypatch.setattr("flows_endpoint.guards.attempts.time.time", lambda: NOON + 60)
    assert b'"data"' in limited.post().content


def test_another_userid_is_another_door(
    limited: Partner, make_partner: Callable[..., Partner]
) -> None:
    other = make_partner(address="partner02")
    for _ in range(4):
        guess(limited)
    assert b'"data"' in other.post().content


def test_who_has_the_key_is_not_locked_out(limited: Partner) -> None:
    data = limited.data({"msisdn": "081200000001", "gateway": 1})
    assert b'"data"' in limited.post(data).content
    for _ in range(4):
        assert limited.post(data).content == NOT_AUTHORIZED
        assert limited.post("AAAA").content == NOT_AUTHORIZED
        assert limited.post(limited.data(now=1_000_000_000)).content == NOT_AUTHORIZED
        assert limited.post(body=b"{}").content == b'{"rc":"88","info":"Missing parameter"}'
        assert limited.call({"msisdn": "0", "gateway": 1})["rc"] == "06"
        assert limited.post(header="Basic eDp5").content == b'{"rc":"77","info":"Userid not found"}'
    assert AttemptCount.objects.count() == 0
    assert limited.call({"msisdn": "081200000002", "gateway": 1})["rc"] == "00"
