"""Rotation at the wire: the old key goes on for its overlap, a revoked one stops at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from flows_endpoint.kairos.errors import Code
from flows_endpoint.models import ExchangeRow
from tenants import lifecycle
from tenants.actors import Actor
from tenants.models import Key
from tests.flows_endpoint.kairos.partner import SEALED, Partner, error
from tests.support import key_life

pytestmark = pytest.mark.django_db
OPERATOR = Actor("operator")


def test_key_pairs_overlap(partner: Partner) -> None:
    old = partner.flow.keys.get(purpose="kairos_rsa")
    new = lifecycle.generate_key(OPERATOR, partner.flow, "kairos_rsa")
    assert partner.sealed(partner.request(n=1))["api-response-code"] == 200
    lifecycle.promote_key(OPERATOR, new.key)
    assert partner.sealed(partner.request(n=2))["api-response-code"] == 200
    partner.use_key(new.secret)
    assert partner.sealed(partner.request(n=3))["api-response-code"] == 200
    versions = ExchangeRow.objects.order_by("id").values_list("key_versions", flat=True)
    assert list(versions) == [
        "kairos_rsa v1, security_id v1",
        "kairos_rsa v1, security_id v1",
        "kairos_rsa v2, security_id v1",
    ]
    Key.objects.filter(pk=old.pk).update(accept_until=timezone.now() - timedelta(seconds=1))
    lifecycle.update_flow(OPERATOR, partner.flow, {"callback_url": ""})
    partner.use_key(old.public_pem)
    reply = partner.post(SEALED, partner.seal(partner.request(n=4)))
    assert reply.content == error(Code.INVALID_FORMAT)


def test_a_revoked_pair_stops_at_once(partner: Partner) -> None:
    new = lifecycle.generate_key(OPERATOR, partner.flow, "kairos_rsa")
    lifecycle.promote_key(OPERATOR, new.key)
    old = partner.flow.keys.get(purpose="kairos_rsa", version=1)
    assert partner.sealed(partner.request(n=1))["api-response-code"] == 200
    key_life.revoke(OPERATOR, old, reason="leaked")
    reply = partner.post(SEALED, partner.seal(partner.request(n=2)))
    assert reply.content == error(Code.INVALID_FORMAT)


def test_security_ids_overlap(partner: Partner) -> None:
    new = lifecycle.generate_key(OPERATOR, partner.flow, "security_id")
    lifecycle.promote_key(OPERATOR, new.key, overlap=timedelta(days=1))
    assert partner.plain(partner.request(n=1))["api-response-code"] == 200
    answer = partner.plain(partner.request(n=2, **{"security-id": new.secret}))
    assert answer["api-response-code"] == 200
    assert {
        key.version: key.use_count for key in partner.flow.keys.filter(purpose="security_id")
    } == {
        1: 1,
        2: 1,
    }
    old = partner.flow.keys.get(purpose="security_id", version=1)
    key_life.revoke(OPERATOR, old, reason="leaked")
    assert partner.plain(partner.request(n=3))["api-response-code"] == 202
