"""The allow-list holds at every address of the flow, the log-in included."""

from __future__ import annotations

import pytest

from flows_endpoint.flynn.models import UserSession
from tenants import lifecycle
from tenants.actors import Actor
from tests.flows_endpoint.flynn.partner import EINV, TOKENS, Partner, error_of

pytestmark = pytest.mark.django_db


def test_callers_from_elsewhere(partner: Partner, actor: Actor) -> None:
    headers = partner.headers()
    lifecycle.update_flow(actor, partner.flow, {"allowed_networks": ["203.0.113.0/24"]})
    refused = [
        partner.log_in(),
        partner.send("PUT", TOKENS, headers={"Authorization": f"Bearer {partner.token}"}),
        partner.send("GET", "/authenticate", headers=headers),
        partner.call(EINV, partner.invoice()),
    ]
    for reply in refused:
        assert reply.status_code == 403
        assert error_of(reply) == {
            "message": "err-source-not-allowed",
            "type": "Authorization",
            "args": {},
        }
    assert UserSession.objects.count() == 1
    lifecycle.update_flow(actor, partner.flow, {"allowed_networks": ["127.0.0.0/8"]})
    assert partner.send("GET", "/authenticate", headers=headers).status_code == 200
