"""The encrypt helper and the partner's key generation."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from crypto_schemes.kairos import SCHEME
from flows_endpoint.kairos.errors import Code
from tenants import lifecycle
from tenants.actors import Actor
from tenants.models import AuditEntry, Key
from tests.flows_endpoint.kairos.partner import HELPER, KEY_PAIR, SEALED, Partner, counts, error

pytestmark = pytest.mark.django_db
Make = Callable[..., Partner]
OPERATOR = Actor("operator")
VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "kairos.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("vector", VECTORS, ids=[v["aes_key"] for v in VECTORS])
def test_the_helper_encrypts_as_the_vectors_say(partner: Partner, vector: dict[str, Any]) -> None:
    body = {
        "requestValue": vector["request_base64"],
        "aesKey": vector["aes_key"],
        "flow-id": partner.flow_id,
    }
    answer = json.loads(partner.post(HELPER, body).content)
    assert list(answer) == ["flow-id", "requestEncryptedValue", "requestDigitalSignatureValue"]
    assert answer["flow-id"] == partner.flow_id
    assert answer["requestEncryptedValue"] == vector["request_encrypted_value"]


def test_what_the_helper_encrypted_can_be_sent(partner: Partner) -> None:
    value = base64.b64encode(json.dumps(partner.request()).encode()).decode()
    body = {"requestValue": value, "aesKey": "abcd1234", "flow-id": partner.flow_id}
    sealed = partner.post(HELPER, body).content
    assert json.loads(partner.post(SEALED, sealed).content)["api-response-code"] == 200


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"requestValue": None}, 210),
        ({"requestValue": 5}, 210),
        ({"requestValue": "e30"}, 400),
        ({"requestValue": "****"}, 400),
        ({"requestValue": "eydhJzoxfQ=="}, 400),
        ({"requestValue": ""}, 400),
        ({"aesKey": None}, 210),
        ({"aesKey": 12345678}, 210),
        ({"aesKey": ""}, 210),
        ({"aesKey": "k" * 184}, 210),
        ({"flow-id": "Zz000000"}, 301),
        ({"flow-id": None}, 301),
    ],
)
def test_the_helper_refuses(partner: Partner, changes: dict[str, Any], code: int) -> None:
    before = counts()
    body = {"requestValue": "e30=", "aesKey": "abcd1234", "flow-id": partner.flow_id, **changes}
    body = {name: value for name, value in body.items() if value is not None}
    reply = partner.post(HELPER, body)
    assert (reply.status_code, reply.content) == (200, error(Code(code)))
    assert counts() == before


def test_a_pair_in_use_is_not_replaced(make_partner: Make) -> None:
    partner = make_partner(options={"partner_key_generation": True})
    reply = partner.post(KEY_PAIR, {"flow-id": partner.flow_id})
    assert reply.content == (
        b'{"response":"RSA Encryption key pair generated.","responseCode":"200"}'
    )
    assert _pairs(partner) == [(1, "active"), (2, "staged")]
    assert partner.sealed(partner.request())["api-response-code"] == 200
    entry = AuditEntry.objects.get(verb="key.generate", actor="partner:acme")
    assert entry.key is not None
    assert entry.key.version == 2
    # Asked again while one waits, no other is made.
    before = counts()
    assert json.loads(partner.post(KEY_PAIR, {"flow-id": partner.flow_id}).content) == {
        "response": "RSA Encryption key pair generated.",
        "responseCode": "200",
    }
    assert counts() == before


def test_the_staged_pair_opens_and_is_promoted_by_the_operator(make_partner: Make) -> None:
    partner = make_partner(options={"partner_key_generation": True})
    partner.post(KEY_PAIR, {"flow-id": partner.flow_id})
    staged = partner.flow.keys.get(purpose="kairos_rsa", version=2)
    old = partner.flow.keys.get(purpose="kairos_rsa", version=1)
    partner.use_key(staged.public_pem)
    assert partner.sealed(partner.request(n=1))["api-response-code"] == 200
    lifecycle.promote_key(OPERATOR, staged, overlap=timedelta(0))
    assert partner.sealed(partner.request(n=2))["api-response-code"] == 200
    partner.use_key(old.public_pem)
    assert partner.sealed(partner.request(n=3))["api-response-code"] == 400


def test_the_first_pair_becomes_active(make_partner: Make) -> None:
    partner = make_partner(options={"partner_key_generation": True})
    lifecycle.revoke_key(OPERATOR, partner.flow.keys.get(purpose="kairos_rsa"), reason="lost")
    assert partner.post(SEALED, partner.seal(partner.request())).content == error(Code.FAILURE)
    partner.post(KEY_PAIR, {"flow-id": partner.flow_id})
    assert _pairs(partner) == [(1, "revoked"), (2, "active")]


@pytest.mark.parametrize("twin_made_one", [True, False])
def test_of_twins_one_makes_the_pair(
    make_partner: Make, monkeypatch: pytest.MonkeyPatch, twin_made_one: bool
) -> None:
    partner = make_partner(options={"partner_key_generation": True})
    really = lifecycle.generate_key

    def beaten(actor: Actor, flow: Any, purpose: str, **details: Any) -> Any:
        if twin_made_one:
            really(actor, flow, purpose)
        raise lifecycle.LifecycleError("made already")

    monkeypatch.setattr(lifecycle, "generate_key", beaten)
    reply = partner.post(KEY_PAIR, {"flow-id": partner.flow_id})
    if twin_made_one:
        assert json.loads(reply.content)["responseCode"] == "200"
        assert _pairs(partner) == [(1, "active"), (2, "staged")]
    else:
        assert reply.content == error(Code.FAILURE)
        assert _pairs(partner) == [(1, "active")]


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_while_a_pair_is_made(
    make_partner: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    partner = make_partner(options={"partner_key_generation": True})
    really, blocking = type(SCHEME).new_material, []

    def slow(*arguments: Any) -> bytes:
        blocking.append(connection.in_atomic_block)
        return really(*arguments)

    monkeypatch.setattr(type(SCHEME), "new_material", slow)
    partner.post(KEY_PAIR, {"flow-id": partner.flow_id})
    assert _pairs(partner) == [(1, "active"), (2, "staged")]
    assert blocking == [False]


def test_no_security_id_is_asked_for(make_partner: Make) -> None:
    """The contract names none here: the source address is all that stands before these two."""
    partner = make_partner(options={"partner_key_generation": True})
    body = {"flow-id": partner.flow_id, "security-id": "wrong"}
    assert json.loads(partner.post(KEY_PAIR, body).content)["responseCode"] == "200"


def _pairs(partner: Partner) -> list[tuple[int, str]]:
    pairs = Key.objects.filter(flow=partner.flow, purpose="kairos_rsa").order_by("version")
    return [(key.version, key.state) for key in pairs]
