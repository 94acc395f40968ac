"""Every secret there is rotates while traffic under the old and under the new one goes on.

The same walk for each purpose of each contract: traffic under version 1; version 2 is staged,
both work; version 2 is promoted, both work during the overlap; version 1 is retired, only
version 2 works. The last test keeps the list complete.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django.test import Client as Http
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from callbacks import signing
from crypto_schemes import base64_text, registry
from crypto_schemes.flynn import Mode, Session, documents
from crypto_schemes.isu import IsuOptions
from crypto_schemes.scheme import CALLBACK_AUTH, CALLBACK_SIGNING, UPSTREAM_SIGNING
from tenants import lifecycle
from tenants.actors import Actor
from tenants.keyring import keyring
from tenants.lifecycle import IssuedFlow
from tenants.models import Key
from tests.flows_endpoint.citcall.partner import ORDER
from tests.flows_endpoint.citcall.partner import Partner as CitcallPartner
from tests.flows_endpoint.flynn.partner import EINV, LOG_OUT, SECRETS
from tests.flows_endpoint.flynn.partner import Partner as FlynnPartner
from tests.flows_endpoint.flynn.test_einvoice import signing_key
from tests.flows_endpoint.isu.partner import Partner as IsuPartner
from tests.flows_endpoint.isu.partner import payout
from tests.flows_endpoint.kairos.partner import Partner as KairosPartner
from tests.flows_endpoint.kairos.partner import a_call
from tests.flows_endpoint.whatsapp_flows.platform import Phone
from tests.support import key_life

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]
#: Sends one request; True when it was served.
Send = Callable[[], bool]
#: Makes a caller who holds the given text of the secret.
Hold = Callable[[IssuedFlow, Http, str], Send]
_numbers = itertools.count(1)


def _kairos_rsa(issued: IssuedFlow, http: Http, secret: str) -> Send:
    partner = KairosPartner(http, issued, rsa_bits=2048)
    partner.use_key(secret)
    return lambda: (
        partner.sealed(partner.request(a_call(f"o{next(_numbers)}"))).get("api-response-code")
        == 200
    )


def _security_id(issued: IssuedFlow, http: Http, secret: str) -> Send:
    partner = KairosPartner(http, issued, rsa_bits=2048)
    partner.security_id = secret
    return lambda: (
        partner.plain(partner.request(a_call(f"o{next(_numbers)}"))).get("api-response-code") == 200
    )


def _api_key(issued: IssuedFlow, http: Http, secret: str) -> Send:
    partner = CitcallPartner(issued, http)
    partner.key = secret

    def send() -> bool:
        order = {**ORDER, "clientUniqueId": f"A-{next(_numbers)}"}
        refused = partner.post(partner.data(order))
        if b"Apikey not found" in refused.content:
            return False
        order["clientUniqueId"] = f"A-{next(_numbers)}"
        answer: Any = partner.call(order)
        return bool(answer["rc"] == "00")

    return send


def _isu(member: str) -> Hold:
    def hold(issued: IssuedFlow, http: Http, secret: str) -> Send:
        given = {**issued.credentials, member: secret}
        partner = IsuPartner(http, issued.flow, given, IsuOptions())
        return lambda: _isu_served(partner)

    return hold


def _isu_payload(issued: IssuedFlow, http: Http, secret: str) -> Send:
    partner = IsuPartner(
        http, issued.flow, issued.credentials, IsuOptions(), base64_text.decode(secret)
    )
    return lambda: _isu_served(partner)


def _isu_served(partner: IsuPartner) -> bool:
    sent = partner.seal(payout())
    reply = partner.send(sent)
    served: bool = reply.status_code == 200 and partner.open(reply, sent)["status"] == "SUCCESS"
    return served


def _flynn_password(issued: IssuedFlow, http: Http, secret: str) -> Send:
    partner = FlynnPartner(issued, http)

    def send() -> bool:
        reply = partner.log_in(password=secret)
        if reply.status_code != 200:
            return False
        token = reply.json()["data"]["token"]  # an account has only so many sessions at once
        ended = http.generic("POST", LOG_OUT, headers={"Authorization": f"Bearer {token}"})
        return bool(ended.status_code == 200)

    return send


def _portal_password(issued: IssuedFlow, http: Http, secret: str) -> Send:
    partner = FlynnPartner(issued, http)
    partner.bundle["portal_password"] = secret
    return lambda: bool(
        partner.call(EINV, partner.invoice(f"P/{next(_numbers)}")).status_code == 200
    )


def _flynn_rsa(issued: IssuedFlow, http: Http, secret: str) -> Send:
    partner = FlynnPartner(issued, http)
    partner.bundle["public_key_pem"] = secret

    def send() -> bool:
        headers = partner.headers({"data": "x"}, session=Session.fresh(Mode.CBC))
        return bool(partner.send("GET", SECRETS, headers=headers).status_code == 200)

    return send


def _token_signing(issued: IssuedFlow, http: Http, _: str) -> Send:
    partner = FlynnPartner(issued, http)
    headers = partner.headers()  # under the version that signs now
    return lambda: bool(partner.send("GET", "/authenticate", headers=headers).status_code == 200)


def _whatsapp_rsa(issued: IssuedFlow, http: Http, secret: str) -> Send:
    phone = Phone(http, issued)
    phone.public_key = secret
    return lambda: phone.send({"version": "3.0", "action": "ping"}).status == 200


def _app_secret(issued: IssuedFlow, http: Http, secret: str) -> Send:
    phone = Phone(http, issued)
    phone.secret = secret
    return lambda: (
        phone.send({"version": "3.0", "action": "ping"}).status == 200
        and phone.deliver({"entry": [], "n": next(_numbers)}).status_code == 200
    )


def _verify_token(issued: IssuedFlow, http: Http, secret: str) -> Send:
    phone = Phone(http, issued)
    query = {"hub.mode": "subscribe", "hub.challenge": "77", "hub.verify_token": secret}
    return lambda: bool(http.get(phone.webhook_path, query).status_code == 200)


#: Secrets that requests come with.
INCOMING: Mapping[tuple[str, str], Hold] = {
    ("kairos", "kairos_rsa"): _kairos_rsa,
    ("kairos", "security_id"): _security_id,
    ("citcall", "api_key"): _api_key,
    ("isu", "pass_key"): _isu("pass_key"),
    ("isu", "client_secret"): _isu("client_secret"),
    ("isu", "isu_aes"): _isu("aes_key_base64"),
    ("isu", "isu_payload_aes"): _isu_payload,
    ("flynn", "password"): _flynn_password,
    ("flynn", "portal_password"): _portal_password,
    ("flynn", "flynn_rsa"): _flynn_rsa,
    ("flynn", "token_signing"): _token_signing,
    ("whatsapp_flows", "whatsapp_rsa"): _whatsapp_rsa,
    ("whatsapp_flows", "app_secret"): _app_secret,
    ("whatsapp_flows", "verify_token"): _verify_token,
}
#: Secrets under which the product signs so that holders of either version can check.
SIGNING = (CALLBACK_SIGNING, UPSTREAM_SIGNING)
#: Secrets the product presents or signs with alone: the active one, and no other.
OUTGOING = {
    ("kairos", "callback_basic_password"),
    ("whatsapp_flows", "access_token"),
    ("flynn", "document_signing"),
    # Rotated under traffic in tests/callbacks/test_endpoint_auth.py.
    *((name, CALLBACK_AUTH.name) for name in registry.NAMES),
}


def _flow(make_flow: Make, scheme: str) -> IssuedFlow:
    options = {"rsa_bits": 2048} if scheme == "kairos" else {}
    return make_flow(scheme, options=options)


def _both(old: Send, new: Send) -> list[bool]:
    return [send() for _ in range(3) for send in (old, new)]


@pytest.mark.parametrize(("scheme", "purpose"), INCOMING)
def test_traffic_under_old_and_new_at_once(
    make_flow: Make, actor: Actor, client: Http, scheme: str, purpose: str
) -> None:
    issued = _flow(make_flow, scheme)
    spec = issued.flow.contract.purpose(purpose)
    if not spec.issued_at_creation:
        first = lifecycle.generate_key(actor, issued.flow, purpose)
    else:
        first = next(item for item in issued.keys if item.key.purpose == purpose)
    hold = INCOMING[scheme, purpose]
    old = hold(issued, client, first.secret)
    assert old()
    second = lifecycle.generate_key(actor, issued.flow, purpose)
    assert second.key.state == "staged"
    if spec.shared:
        assert all(_both(old, hold(issued, client, second.secret)))
    assert old()
    lifecycle.promote_key(actor, second.key)
    new = hold(issued, client, second.secret)
    assert all(_both(old, new))
    uses = dict(issued.flow.keys.filter(purpose=purpose).values_list("version", "use_count"))
    assert min(uses.values()) >= 3
    key_life.retire(actor, first.key)
    assert _both(old, new) == [False, True] * 3


@pytest.mark.parametrize("spec", SIGNING, ids=lambda spec: spec.name)
@pytest.mark.parametrize("scheme", registry.NAMES)
def test_receivers_with_either_secret_can_check_what_we_sign(
    make_flow: Make, actor: Actor, scheme: str, spec: Any
) -> None:
    issued = _flow(make_flow, scheme)
    first = next(item for item in issued.keys if item.key.purpose == spec.name)
    second = lifecycle.generate_key(actor, issued.flow, spec.name)

    def checks(secret: str) -> bool:
        snapshot = keyring.by_flow_id(str(issued.flow.pk))
        assert snapshot is not None
        now = int(time.time())
        signed = signing.headers(snapshot.credentials(), "id", now, b"{}", purpose=spec)
        try:
            Webhook(secret).verify(b"{}", signed)
        except WebhookVerificationError:
            return False
        return True

    assert [checks(first.secret), checks(second.secret)] == [True, True]
    lifecycle.promote_key(actor, second.key)
    assert [checks(first.secret), checks(second.secret)] == [True, True]
    key_life.retire(actor, first.key)
    assert [checks(first.secret), checks(second.secret)] == [False, True]


def _active_text(issued: IssuedFlow, purpose: str) -> str:
    snapshot = keyring.by_flow_id(str(issued.flow.pk))
    assert snapshot is not None
    return snapshot.credentials().active(purpose).text


def test_the_callback_password_sent_changes_when_the_new_one_is_promoted(
    make_flow: Make, actor: Actor
) -> None:
    options = {"rsa_bits": 2048, "callback_username": "sealgate"}
    issued = make_flow("kairos", options=options)
    contract = issued.flow.contract
    chosen = contract.options_type.from_mapping(options)
    name = "callback_basic_password"
    first = lifecycle.generate_key(actor, issued.flow, name)
    second = lifecycle.generate_key(actor, issued.flow, name)

    def sent() -> str:
        snapshot = keyring.by_flow_id(str(issued.flow.pk))
        assert snapshot is not None
        credentials = snapshot.credentials()
        sealed = contract.seal_callback({"a": 1}, credentials, chosen, now=0)
        # A receiver that knows both takes it, whichever was sent.
        headers = {key.lower(): value for key, value in sealed.headers.items()}
        assert contract.open_callback(sealed.body, headers, credentials, chosen, now=0) == {"a": 1}
        return base64_text.decode(headers["authorization"].removeprefix("Basic ")).decode()

    assert sent() == f"sealgate:{first.secret}"
    lifecycle.promote_key(actor, second.key)
    assert sent() == f"sealgate:{second.secret}"
    key_life.retire(actor, first.key)
    assert sent() == f"sealgate:{second.secret}"


def test_the_access_token_presented_is_the_active_one(make_flow: Make, actor: Actor) -> None:
    issued = make_flow("whatsapp_flows")
    lifecycle.import_text(actor, issued.flow, "access_token", "EAAG-first-token")
    second = lifecycle.import_text(actor, issued.flow, "access_token", "EAAG-second-token")
    assert _active_text(issued, "access_token") == "EAAG-first-token"
    lifecycle.promote_key(actor, second)
    assert _active_text(issued, "access_token") == "EAAG-second-token"
    key_life.retire(actor, Key.objects.get(purpose="access_token", version=1))
    assert _active_text(issued, "access_token") == "EAAG-second-token"


def test_documents_of_either_version_check_with_its_public_key(
    make_flow: Make, actor: Actor, client: Http
) -> None:
    issued = make_flow("flynn")
    partner = FlynnPartner(issued, client)
    before = partner.register("A/1")["SignedQRCode"]
    second = lifecycle.generate_key(actor, issued.flow, "document_signing")
    staged = partner.register("A/2")["SignedQRCode"]
    lifecycle.promote_key(actor, second.key)
    after = partner.register("A/3")["SignedQRCode"]
    old, new = signing_key(partner, 1), signing_key(partner, 2)
    assert documents.verify(before, old)
    assert documents.verify(staged, old)
    assert documents.verify(after, new)
    key_life.retire(actor, issued.flow.keys.get(purpose="document_signing", version=1))
    assert documents.verify(partner.register("A/4")["SignedQRCode"], new)


def test_no_purpose_is_left_out() -> None:
    known = {
        (scheme.name, spec.name)
        for scheme in registry.all_schemes()
        for spec in scheme.all_purposes()
        if spec not in SIGNING
    }
    assert known == set(INCOMING) | OUTGOING
