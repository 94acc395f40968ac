"""The caller's address is believed as far as trusted proxies wrote it, and no further."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from django.test import RequestFactory
from hypothesis import given, settings
from hypothesis import strategies as st

from tenants.actors import Actor
from tenants.source_address import (
    caller_address,
    find_caller,
    is_within,
    parse_address,
    parse_networks,
)
from tests.support.examples import examples

pytestmark = pytest.mark.once

TRUSTED = parse_networks(["10.0.0.0/8", "192.0.2.7", "2001:db8:1::/48"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "caller"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),  # a stranger's claim
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),  # a forged first entry
        ("10.0.0.1", "198.51.100.1, 10.0.0.2,192.0.2.7", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, ", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1:4711", "10.0.0.1"),
        ("::ffff:10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        ("2001:db8:1::5", "[2001:db8:2::6]", "2001:db8:2::6"),
        ("fe80::1%eth0", "", "fe80::1"),
        ("10.0.0.1", "fe80::1%25'; DROP TABLE", "fe80::1"),
        ("", "198.51.100.1", ""),
        ("unix:", "198.51.100.1", ""),
    ],
)
def test_who_calls(peer: str, forwarded: str, caller: str) -> None:
    assert find_caller(peer, forwarded, TRUSTED) == caller


@settings(max_examples=examples(200), deadline=None)
@given(st.text(max_size=60), st.text(max_size=120))
def test_whatever_is_claimed_an_address_comes_out(peer: str, forwarded: str) -> None:
    for given_peer in (peer, "10.0.0.1"):
        caller = find_caller(given_peer, forwarded, TRUSTED)
        assert caller == "" or str(ipaddress.ip_address(caller)) == caller


@given(st.lists(st.ip_addresses(), max_size=5))
def test_a_peer_that_is_no_proxy_is_the_caller_whatever_it_says(hops: list[Any]) -> None:
    forwarded = ", ".join(map(str, hops))
    assert find_caller("203.0.113.9", forwarded, TRUSTED) == "203.0.113.9"


def test_networks() -> None:
    assert is_within(ipaddress.ip_address("10.255.0.1"), TRUSTED)
    assert not is_within(ipaddress.ip_address("11.0.0.1"), TRUSTED)
    assert not is_within(ipaddress.ip_address("::a00:1"), TRUSTED)
    assert parse_address("1.2.3") is None
    with pytest.raises(ValueError, match="proxy"):
        parse_networks(["proxy"])


def test_the_audit_trail_names_the_caller_behind_the_proxy(settings: Any) -> None:
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    request = RequestFactory().get("/", headers={"x-forwarded-for": "6.6.6.6, 198.51.100.7"})

    class User:
        pk = 7
        is_authenticated = True

        def get_username(self) -> str:
            return "alice"

        def has_perm(self, permission: str) -> bool:
            return permission == "tenants.view_key"

    request.user = User()  # type: ignore[assignment]
    request.request_id = "abcdefgh"  # type: ignore[attr-defined]
    actor = Actor.from_request(request)
    assert (actor.name, actor.address, actor.request_id) == ("alice", "198.51.100.7", "abcdefgh")
    assert actor.account == "user:7"
    assert actor.may("tenants.view_key")
    assert not actor.may("tenants.add_key")
    settings.TRUSTED_PROXIES = []
    assert caller_address(request) == "127.0.0.1"
