"""Who may call from where, and at which path a product answers."""

from __future__ import annotations

from typing import Any

import pytest

from flows_endpoint.isu.models import Payout
from flows_endpoint.models import ExchangeRow
from tenants import lifecycle
from tenants.actors import Actor
from tests.flows_endpoint.isu.conftest import MakePartner
from tests.flows_endpoint.isu.partner import NOT_ALLOWED, Partner, error, payout, plain, status

pytestmark = pytest.mark.django_db
NOT_SERVED = (404, '{"ResponseData":"Invalid Request"}')


@pytest.mark.parametrize(
    ("source", "allowed"),
    [("203.0.113.7", True), ("203.0.114.7", False), ("2001:db8::5", True), ("::1", False)],
)
def test_only_listed_networks_may_call(
    make_partner: MakePartner, source: str, *, allowed: bool
) -> None:
    partner = make_partner(allowed_networks=["203.0.113.0/24", "2001:db8::/32"])
    answer = partner.send(partner.seal(payout()), REMOTE_ADDR=source)
    if allowed:
        assert partner.open(answer)["status"] == "SUCCESS"
    else:
        assert plain(answer) == error(403, "Ip validation Failed")
        assert not Payout.objects.exists()


def test_a_forwarded_address_is_believed_of_trusted_proxies_only(
    make_partner: MakePartner, settings: Any
) -> None:
    partner = make_partner(allowed_networks=["203.0.113.0/24"])
    details = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "203.0.113.7"}
    refused = error(403, "Ip validation Failed")
    assert plain(partner.send(partner.seal(payout()), **details)) == refused
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    assert partner.send(partner.seal(payout()), **details).status_code == 200


def test_the_caller_is_checked_before_the_header(make_partner: MakePartner) -> None:
    partner = make_partner(allowed_networks=["203.0.113.0/24"])
    sent = partner.seal(payout())
    sent.headers["header-secrets"] = "rubbish"  # type: ignore[index]
    assert plain(partner.send(sent)) == error(403, "Ip validation Failed")


def test_paths_are_settings_of_the_flow(make_partner: MakePartner) -> None:
    partner = make_partner(options={"payout_path": "/bank/v2/pay", "status_path": "/bank/v2/ask"})
    sent = payout()
    assert partner.ask("payout", sent)["status"] == "SUCCESS"
    assert partner.ask("status", status(**{"$6": sent["clientReferenceNo"]}))["length"] == 1
    assert ExchangeRow.objects.filter(operation="status").count() == 1
    for path in ("/w1w2-payout/w1/cashtransfer", "/payout/statuscheck/txnreport", "/bank/v2"):
        assert plain(partner.send(partner.seal(payout()), path=path)) == NOT_SERVED
    assert Payout.objects.count() == 1


def test_a_default_path_may_serve_another_product(make_partner: MakePartner) -> None:
    swapped = {
        "payout_path": "/payout/statuscheck/txnreport",
        "status_path": "/w1w2-payout/w1/cashtransfer",
    }
    partner = make_partner(options=swapped)
    assert partner.ask("payout", payout())["status"] == "SUCCESS"
    assert partner.ask("status", status())["length"] == 1


def test_another_partners_path_is_not_served(make_partner: MakePartner) -> None:
    own = make_partner(options={"payout_path": "/bank/v2/pay"})
    other = make_partner()
    assert own.ask("payout", payout())["status"] == "SUCCESS"
    assert plain(other.send(other.seal(payout()), path="/bank/v2/pay")) == NOT_SERVED


def test_an_unknown_path_is_the_contracts_only_with_its_headers(partner: Partner) -> None:
    for headers, expected in (
        ({}, None),
        ({"Authorization": "Basic eA=="}, None),
        ({"header-secrets": "x"}, error(401, "Pass_key header is missing")),
        ({"pass-key": "x"}, error(401, "Invalid pass_key", 0)),
        ({"pass-key": partner.given["pass_key"]}, NOT_SERVED),
    ):
        answer = partner.client.post(
            "/no/such/path", b"{}", content_type="application/json", headers=headers
        )
        if expected is None:
            assert answer.status_code == 404
            assert b"ResponseData" not in answer.content
        else:
            assert plain(answer) == expected


def test_another_method_is_told_what_is_allowed(partner: Partner) -> None:
    answer = partner.client.get("/w1w2-payout/w1/cashtransfer")
    assert plain(answer) == NOT_ALLOWED
    assert answer["Allow"] == "POST"


def test_a_disabled_flow_is_unknown_at_once(partner: Partner, actor: Actor) -> None:
    assert partner.ask("payout", payout())["status"] == "SUCCESS"
    lifecycle.update_flow(actor, partner.flow, {"is_enabled": False})
    answer = partner.send(partner.seal(payout()))
    assert plain(answer) == error(401, "Invalid pass_key", 0)
