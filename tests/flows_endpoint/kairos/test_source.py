"""The IP allow-list and the addresses a flow can switch off: 401."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flows_endpoint.kairos.errors import Code
from flows_endpoint.models import ExchangeRow
from tenants.models import Key
from tests.flows_endpoint.kairos.partner import (
    DIALER_PLAIN,
    DIALER_SEALED,
    HELPER,
    KEY_PAIR,
    PLAIN,
    PULL,
    SEALED,
    Partner,
    counts,
    error,
)

pytestmark = pytest.mark.django_db
Make = Callable[..., Partner]


@pytest.mark.parametrize(
    "path", [PLAIN, SEALED, DIALER_PLAIN, DIALER_SEALED, HELPER, KEY_PAIR, PULL]
)
def test_other_networks_are_refused_everywhere(make_partner: Make, path: str) -> None:
    partner = make_partner(
        allowed_networks=["203.0.113.0/24"],
        options={"partner_key_generation": True, "encrypt_helper": True},
    )
    before = counts()
    body = partner.seal(partner.request()) if "/enc/" in path else partner.request()
    reply = partner.post(path, body)
    assert (reply.status_code, reply.content) == (200, error(Code.IP_NOT_WHITELISTED))
    assert counts() == before
    assert ExchangeRow.objects.get().step == "127.0.0.1"


def test_allowed_networks_are_served(make_partner: Make) -> None:
    partner = make_partner(allowed_networks=["203.0.113.0/24", "2001:db8::/32"])
    for number, source in enumerate(("203.0.113.9", "2001:db8::7")):
        payload = partner.request(n=number)
        assert partner.plain(payload, REMOTE_ADDR=source)["api-response-code"] == 200
    assert partner.plain(partner.request(), REMOTE_ADDR="203.0.114.1")["api-response-code"] == 401


def test_a_forged_forwarding_header_is_not_believed(make_partner: Make) -> None:
    partner = make_partner(allowed_networks=["203.0.113.0/24"])
    answer = partner.plain(partner.request(), HTTP_X_FORWARDED_FOR="203.0.113.9")
    assert answer["api-response-code"] == 401


def test_the_source_comes_before_the_security_id(make_partner: Make) -> None:
    partner = make_partner(allowed_networks=["203.0.113.0/24"])
    answer = partner.plain(partner.request(**{"security-id": "wrong"}))
    assert answer["api-response-code"] == 401


def test_plain_requests_can_be_switched_off(make_partner: Make) -> None:
    partner = make_partner(options={"plain_requests": False})
    before = counts()
    for path in (PLAIN, DIALER_PLAIN):
        assert partner.post(path, partner.request()).content == error(Code.IP_NOT_WHITELISTED)
    assert counts() == before
    assert partner.sealed(partner.request())["api-response-code"] == 200
    assert partner.pull(["x"])["api-response-code"] == 213


@pytest.mark.parametrize(
    ("options", "details", "answers"),
    [
        ({}, {}, True),
        ({"encrypt_helper": False}, {}, False),
        ({}, {"backend": "upstream", "upstream_url": "https://own.example/in"}, False),
        (
            {"encrypt_helper": True},
            {"backend": "upstream", "upstream_url": "https://own.example/in"},
            True,
        ),
    ],
    ids=["sandbox", "sandbox, off", "live", "live, on"],
)
def test_the_encrypt_helper_is_for_sandboxes(
    make_partner: Make, options: dict[str, Any], details: dict[str, Any], answers: bool
) -> None:
    partner = make_partner(options=options, **details)
    body = {"requestValue": "e30=", "aesKey": "abcd1234", "flow-id": partner.flow_id}
    reply = partner.post(HELPER, body)
    assert (reply.content != error(Code.IP_NOT_WHITELISTED)) is answers


def test_key_generation_is_off_by_default(partner: Partner) -> None:
    before = Key.objects.count()
    reply = partner.post(KEY_PAIR, {"flow-id": partner.flow_id})
    assert reply.content == error(Code.IP_NOT_WHITELISTED)
    assert Key.objects.count() == before
