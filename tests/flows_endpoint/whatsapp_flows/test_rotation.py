"""Keys and secrets are exchanged while requests go on, and a revoked one is over at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from flows_endpoint.models import ExchangeRow
from tenants import lifecycle
from tenants.actors import Actor
from tenants.models import Key
from tests.flows_endpoint.whatsapp_flows.platform import Phone
from tests.support import key_life

pytestmark = pytest.mark.django_db
PING = {"version": "3.0", "action": "ping"}
NEW_SECRET = "the-new,secret;of/the+meta=app"


def _opened_by() -> str:
    row = ExchangeRow.objects.first()
    assert row is not None
    return row.key_versions


def test_the_app_secret_rolls_over_without_a_failed_request(phone: Phone, actor: Actor) -> None:
    old = phone.secret

    def statuses() -> list[int]:
        found = []
        for secret in (old, NEW_SECRET):
            phone.secret = secret
            found.append(phone.send(PING).status)
        return found

    assert statuses() == [200, 432]
    new = lifecycle.import_key(actor, phone.flow, "app_secret", NEW_SECRET.encode())
    assert statuses() == [200, 200]
    assert _opened_by() == "app_secret v2, whatsapp_rsa v1"
    lifecycle.promote_key(actor, new)
    assert statuses() == [200, 200]
    Key.objects.filter(purpose="app_secret", version=1).update(
        accept_until=timezone.now() + timedelta(hours=1)
    )
    key_life.retire(actor, Key.objects.get(purpose="app_secret", version=1))
    assert statuses() == [432, 200]


def test_the_webhook_takes_both_secrets_too(phone: Phone, actor: Actor) -> None:
    old = phone.secret
    new = lifecycle.import_key(actor, phone.flow, "app_secret", NEW_SECRET.encode())
    lifecycle.promote_key(actor, new)
    for secret in (old, NEW_SECRET):
        phone.secret = secret
        assert phone.deliver({"entry": [], "by": secret}).status_code == 200
    key_life.revoke(actor, Key.objects.get(purpose="app_secret", version=1), reason="leaked")
    phone.secret = old
    assert phone.deliver({"entry": []}).status_code == 403


def test_the_encryption_key_rotates_without_a_failed_request(phone: Phone, actor: Actor) -> None:
    old_pem = phone.public_key
    new = lifecycle.generate_key(actor, phone.flow, "whatsapp_rsa")
    assert new.secret.startswith("-----BEGIN PUBLIC KEY-----")

    def statuses() -> list[int]:
        found = []
        for pem in (old_pem, new.secret):
            phone.public_key = pem
            found.append(phone.send(PING).status)
        return found

    assert statuses() == [200, 200]
    assert _opened_by() == "app_secret v1, whatsapp_rsa v2"
    lifecycle.promote_key(actor, new.key)
    assert statuses() == [200, 200]
    key_life.revoke(actor, Key.objects.get(purpose="whatsapp_rsa", version=1), reason="leaked")
    assert statuses() == [421, 200]
    key_life.revoke(actor, Key.objects.get(purpose="whatsapp_rsa", version=2), reason="leaked")
    assert statuses() == [421, 421]


def test_a_flow_without_any_secret_accepts_nothing(phone: Phone, actor: Actor) -> None:
    key_life.revoke(actor, Key.objects.get(purpose="app_secret"), reason="leaked")
    reply = phone.send(PING)
    assert (reply.status, reply.body) == (432, b"")
    row = ExchangeRow.objects.get()
    assert (row.reason, row.step) == ("not_authentic", "no_app_secret")


def test_a_flow_token_signed_by_the_old_secret_passes_during_the_overlap(
    phone: Phone, actor: Actor
) -> None:
    from crypto_schemes.whatsapp_flows.signatures import sign_flow_token  # noqa: PLC0415

    old = phone.app_secret
    payload: dict[str, Any] = {
        "version": "4.0",
        "action": "INIT",
        "flow_token": "ft-1",
        "flow_token_signature": sign_flow_token("ft-1", old),
    }
    new = lifecycle.import_key(actor, phone.flow, "app_secret", NEW_SECRET.encode())
    lifecycle.promote_key(actor, new)
    phone.secret = NEW_SECRET
    assert phone.send(payload).status == 200
    assert _opened_by() == "app_secret v2, whatsapp_rsa v1, app_secret v1"
    key_life.retire(actor, Key.objects.get(purpose="app_secret", version=1))
    reply = phone.send(payload)
    assert (reply.status, reply.body) == (432, b"")
