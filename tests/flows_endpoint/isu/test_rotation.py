"""Rotating each secret of a flow while its partner calls."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from crypto_schemes import base64_text
from tenants import lifecycle
from tenants.actors import Actor
from tenants.models import Flow, Key
from tests.flows_endpoint.isu.conftest import MakePartner
from tests.flows_endpoint.isu.partner import INVALID_DATA, INVALID_HEADER, Partner, error, payout
from tests.flows_endpoint.isu.partner import plain as plain_of
from tests.support import key_life

pytestmark = pytest.mark.django_db
MEMBER = {
    "pass_key": "pass_key",
    "client_secret": "client_secret",
    "isu_aes": "aes_key_base64",
}
REFUSED = {
    "pass_key": error(401, "Invalid pass_key", 0),
    "client_secret": INVALID_HEADER,
    "isu_aes": INVALID_HEADER,
}


def rotated(partner: Partner, actor: Actor, purpose: str) -> tuple[Partner, Key]:
    """Return the partner with the next version of a secret, and that version, staged."""
    issued = lifecycle.generate_key(actor, partner.flow, purpose)
    given = {**partner.given, MEMBER[purpose]: issued.secret}
    return Partner(partner.client, partner.flow, given, partner.options), issued.key


@pytest.mark.parametrize("purpose", MEMBER)
def test_old_and_new_work_until_the_old_one_ends(
    partner: Partner, actor: Actor, purpose: str
) -> None:
    old_key = Key.objects.get(purpose=purpose)
    renewed, new_key = rotated(partner, actor, purpose)
    assert new_key.state == "staged"
    assert partner.ask("payout", payout())["status"] == "SUCCESS"
    assert renewed.ask("payout", payout())["status"] == "SUCCESS"
    lifecycle.promote_key(actor, new_key, overlap=timedelta(days=7))
    # A reply under the new key would be unreadable for a partner who has only the old one.
    assert partner.ask("payout", payout())["status"] == "SUCCESS"
    assert renewed.ask("payout", payout())["status"] == "SUCCESS"
    old_key.refresh_from_db()
    new_key.refresh_from_db()
    assert (old_key.use_count, new_key.use_count) == (2, 2)
    Key.objects.filter(pk=old_key.pk).update(accept_until=timezone.now() - timedelta(seconds=1))
    Flow.objects.update(changed_epoch=10**6)
    lifecycle.update_flow(actor, partner.flow, {"callback_url": "https://other.example/"})
    assert plain_of(partner.send(partner.seal(payout()))) == REFUSED[purpose]
    assert renewed.ask("payout", payout())["status"] == "SUCCESS"


@pytest.mark.parametrize("purpose", MEMBER)
def test_a_revoked_secret_opens_nothing_at_once(
    partner: Partner, actor: Actor, purpose: str
) -> None:
    assert partner.ask("payout", payout())["status"] == "SUCCESS"
    key_life.revoke(actor, Key.objects.get(purpose=purpose), reason="lost")
    assert plain_of(partner.send(partner.seal(payout()))) == REFUSED[purpose]


def test_a_payload_key_takes_the_bodies_over_and_rotates(partner: Partner, actor: Actor) -> None:
    flow = partner.flow
    first = lifecycle.generate_key(actor, flow, "isu_payload_aes")
    assert first.key.state == "active"
    assert plain_of(partner.send(partner.seal(payout()))) == INVALID_DATA
    both = Partner(
        partner.client,
        flow,
        partner.given,
        partner.options,
        payload_key=base64_text.decode(first.secret),
    )
    assert both.ask("payout", payout())["status"] == "SUCCESS"
    second = lifecycle.generate_key(actor, flow, "isu_payload_aes")
    lifecycle.promote_key(actor, second.key, overlap=timedelta(days=1))
    newest = Partner(
        partner.client,
        flow,
        partner.given,
        partner.options,
        payload_key=base64_text.decode(second.secret),
    )
    assert both.ask("payout", payout())["status"] == "SUCCESS"
    assert newest.ask("payout", payout())["status"] == "SUCCESS"


@pytest.mark.parametrize("encoding", ["base64", "hex", "utf8"])
def test_a_key_is_handed_over_as_the_flow_writes_it(
    make_partner: MakePartner, actor: Actor, encoding: str
) -> None:
    partner = make_partner(options={"key_encoding": encoding})
    assert partner.ask("payout", payout())["status"] == "SUCCESS"
    written = lifecycle.generate_key(actor, partner.flow, "isu_aes").secret
    raw = {
        "base64": base64_text.decode,
        "hex": bytes.fromhex,
        "utf8": str.encode,
    }[encoding](written)
    assert len(raw) == 32
    given = {**partner.given, "aes_key_base64": base64_text.encode(raw)}
    renewed = Partner(partner.client, partner.flow, given, partner.options)
    assert renewed.ask("payout", payout())["status"] == "SUCCESS"
