"""A path that a flow has for itself is nobody else's: another contract would answer there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError
from django.test import Client as Browser

from tenants import lifecycle
from tenants.actors import Actor
from tenants.lifecycle import IssuedFlow
from tenants.models import Flow
from tests.tenants.admin_pages import edit_flow

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]

FLYNN, PRODUCT = "the contract flynn", "the product itself"
TAKEN = {
    "/ping": FLYNN,
    "/theodore/apis/v1/logout": FLYNN,
    "/basic/of-no-version": FLYNN,
    "/v2/asynccall": "the contract citcall",
    "/whatsapp/flows/anybody": "the contract whatsapp_flows",
    "/kairos-apis/outbound/pull": "the contract kairos",
    "/livez": PRODUCT,
    "/metrics": PRODUCT,
    "/handover/open": PRODUCT,
    "/admin": PRODUCT,
    "/admin/login": PRODUCT,
    "/static/app.js": PRODUCT,
}
#: Nobody's, or another product's of the same contract, which is swapped here.
FREE = ("/bank/v2/pay", "/pings", "/livez/more", "/administration")


@pytest.mark.parametrize("path", TAKEN)
def test_a_path_of_somebody_else_is_refused(make_flow: Make, actor: Actor, path: str) -> None:
    said = f"electricity_bill_path: {path} is an address of {TAKEN[path]}."
    with pytest.raises(ValidationError, match=said):
        make_flow("isu", options={"electricity_bill_path": path})
    assert not Flow.objects.exists()
    flow = make_flow("isu").flow
    with pytest.raises(ValidationError, match=said):
        lifecycle.update_flow(actor, flow, {"options": {"electricity_bill_path": path}})
    assert Flow.objects.get().options == {}


def test_other_paths_are_taken(make_flow: Make) -> None:
    for path in FREE:
        make_flow("isu", options={"payout_path": path})
    swapped = {
        "payout_path": "/payout/statuscheck/txnreport",
        "status_path": "/w1w2-payout/w1/cashtransfer",
    }
    assert make_flow("isu", options=swapped).flow.options == swapped


def test_the_form_says_so_at_the_field(administrator: Browser, make_flow: Make) -> None:
    flow = make_flow("isu").flow
    answer = edit_flow(administrator, flow, option_payout_path="/ping")
    assert answer.context["adminform"].form.errors == {
        "option_payout_path": [f"/ping is an address of {FLYNN}. Choose another path."]
    }


def test_what_was_stored_before_can_still_be_switched_off(
    administrator: Browser, make_flow: Make
) -> None:
    flow = make_flow("isu").flow
    Flow.objects.filter(pk=flow.pk).update(options={"payout_path": "/ping"})
    assert edit_flow(administrator, flow, is_enabled=None).status_code == 302
    assert not Flow.objects.get().is_enabled
