"""Keys change under the partner's feet and nothing fails that should not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from crypto_schemes.flynn import Mode, Session, documents
from flows_endpoint.models import ExchangeRow
from tenants import lifecycle
from tenants.actors import Actor
from tests.flows_endpoint.flynn.partner import EINV, SECRETS, Partner, error_of
from tests.flows_endpoint.flynn.test_einvoice import signing_key
from tests.support import key_life

pytestmark = pytest.mark.django_db
Make = Callable[..., Partner]


def works(partner: Partner, version: int) -> bool:
    session = Session.fresh(Mode.CBC)
    reply = partner.send("GET", SECRETS, headers=partner.headers({"data": "x"}, session=session))
    if reply.status_code != 200:
        assert error_of(reply)["message"] == "err-unable-to-decrypt-message-with-key"
        return False
    used = f"token_signing v1, flynn_rsa v{version}"
    assert ExchangeRow.objects.latest("id").key_versions == used
    return True


def test_a_new_key_pair(partner: Partner, actor: Actor) -> None:
    old_pem = partner.bundle["public_key_pem"]
    old = partner.flow.keys.get(purpose="flynn_rsa")
    issued = lifecycle.generate_key(actor, partner.flow, "flynn_rsa")
    partner.bundle["public_key_pem"] = issued.secret
    assert works(partner, 2)  # staged already opens
    lifecycle.promote_key(actor, issued.key, overlap=timedelta(days=7))
    assert works(partner, 2)
    partner.bundle["public_key_pem"] = old_pem
    assert works(partner, 1)
    old.refresh_from_db()
    assert old.use_count == 1
    key_life.revoke(actor, old, reason="compromised")
    assert not works(partner, 1)
    partner.bundle["public_key_pem"] = issued.secret
    assert works(partner, 2)


def test_a_larger_key_pair(partner: Partner, actor: Actor) -> None:
    old_pem = partner.bundle["public_key_pem"]
    lifecycle.update_flow(actor, partner.flow, {"options": {"rsa_bits": 4096}})
    issued = lifecycle.generate_key(actor, partner.flow, "flynn_rsa")
    lifecycle.promote_key(actor, issued.key)
    assert works(partner, 1)
    partner.bundle["public_key_pem"] = issued.secret
    assert works(partner, 2)
    assert old_pem != issued.secret


def test_a_new_token_key(partner: Partner, actor: Actor) -> None:
    headers = partner.headers()
    old = partner.flow.keys.get(purpose="token_signing")
    issued = lifecycle.generate_key(actor, partner.flow, "token_signing")
    assert issued.secret == ""
    lifecycle.promote_key(actor, issued.key)
    assert partner.send("GET", "/authenticate", headers=headers).status_code == 200
    key_life.retire(actor, partner.flow.keys.get(pk=old.pk))
    reply = partner.send("GET", "/authenticate", headers=headers)
    assert (reply.status_code, error_of(reply)["message"]) == (403, "err-invalid-token")
    partner.forget_token()
    assert partner.send("GET", "/authenticate", headers=partner.headers()).status_code == 200


def test_a_new_document_key(partner: Partner, actor: Actor) -> None:
    first = partner.register("A/1")
    issued = lifecycle.generate_key(actor, partner.flow, "document_signing")
    lifecycle.promote_key(actor, issued.key)
    second = partner.register("A/2")
    assert documents.verify(first["SignedQRCode"], signing_key(partner, 1))
    assert documents.verify(second["SignedQRCode"], signing_key(partner, 2))
    fetched = partner.call(f"{EINV}/irn/{first['Irn']}", method="GET").json()["data"]
    assert fetched["SignedQRCode"] == first["SignedQRCode"]


def test_without_a_key_to_sign_with(partner: Partner, actor: Actor) -> None:
    key = partner.flow.keys.get(purpose="document_signing")
    key_life.revoke(actor, key, reason="compromised")
    reply = partner.call(EINV, partner.invoice())
    assert (reply.status_code, error_of(reply)["message"]) == (503, "err-service-unavailable")
    key = partner.flow.keys.get(purpose="token_signing")
    key_life.revoke(actor, key, reason="compromised")
    reply = partner.log_in()
    assert (reply.status_code, error_of(reply)["message"]) == (503, "err-service-unavailable")
