"""Two API keys in force, a new one promoted, an old one gone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tenants import lifecycle
from tenants.actors import Actor
from tenants.models import Key
from tests.flows_endpoint.citcall.partner import Partner, rows

pytestmark = pytest.mark.django_db
UNKNOWN_KEY = b'{"rc":"96","info":"Apikey not found or non active"}'


@pytest.fixture
def newer(partner: Partner, actor: Actor) -> lifecycle.IssuedKey:
    """A staged second API key."""
    return lifecycle.generate_key(actor, partner.flow, "api_key")


def call_with(partner: Partner, key: str, unique_id: str) -> str:
    held, partner.key = partner.key, key
    try:
        reply = partner.call({"msisdn": "081200000001", "gateway": 1, "clientUniqueId": unique_id})
    finally:
        partner.key = held
    return str(reply["rc"])


def test_a_staged_key_opens_and_its_reply_is_sealed_under_it(
    partner: Partner, newer: lifecycle.IssuedKey
) -> None:
    assert call_with(partner, newer.secret, "1") == "00"
    assert call_with(partner, partner.key, "2") == "00"
    uses = {key.version: key.use_count for key in Key.objects.filter(purpose="api_key")}
    assert uses == {1: 1, 2: 1}


def test_the_old_key_goes_on_for_the_overlap(
    partner: Partner, newer: lifecycle.IssuedKey, actor: Actor
) -> None:
    lifecycle.promote_key(actor, newer.key, overlap=timedelta(days=1))
    assert call_with(partner, partner.key, "1") == "00"
    assert call_with(partner, newer.secret, "2") == "00"
    Key.objects.filter(version=1, purpose="api_key").update(accept_until=timezone.now())
    lifecycle.update_flow(actor, partner.flow, {"callback_url": ""})
    before = rows()
    assert partner.post().content == UNKNOWN_KEY
    assert partner.post(header=f"Apikey {partner.key}").content == UNKNOWN_KEY
    assert rows() == before


def test_a_revoked_key_opens_nothing_at_once(
    partner: Partner, newer: lifecycle.IssuedKey, actor: Actor
) -> None:
    lifecycle.promote_key(actor, newer.key)
    lifecycle.revoke_key(actor, Key.objects.get(purpose="api_key", version=1), reason="leaked")
    before = rows()
    assert partner.post().content == UNKNOWN_KEY
    assert partner.post(header=f"Apikey {partner.key}").content == UNKNOWN_KEY
    assert rows() == before
    assert call_with(partner, newer.secret, "2") == "00"


def test_a_data_under_the_other_key_than_the_header_is_refused(
    partner: Partner, newer: lifecycle.IssuedKey
) -> None:
    data = partner.data()
    partner.key = newer.secret
    assert partner.post(data).content == b'{"rc":"98","info":"Authorization failed"}'


def test_a_disabled_flow_is_not_found(partner: Partner, actor: Actor) -> None:
    lifecycle.update_flow(actor, partner.flow, {"is_enabled": False})
    assert partner.post().content == b'{"rc":"77","info":"Userid not found"}'
    assert partner.post(header=f"Apikey {partner.key}").content == UNKNOWN_KEY
