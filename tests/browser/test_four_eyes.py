"""A key is revoked by two people: one asks, another approves, each in a browser of their own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.conftest import staff
from tests.support.browser import Person
from tests.support.product import Product

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(300)]


def test_from_the_request_to_the_revoked_key(running: Product) -> None:
    made = running.provision("citcall")
    running.manage("key", "approvals", "require", made["client"])
    with staff(running, "anna", "Key officer") as anna, staff(running, "bert", "Approver") as bert:
        flow = f"/admin/tenants/flow/{made['flow']}/change/"
        _ask(anna, flow)
        assert _states(running, made) == ["active"]
        _approve(bert)
        assert _states(running, made) == ["revoked"]
        anna.open(flow)
        assert "Revoked: seen in a public repository" in anna.page
        assert "asked for by anna" not in anna.page
        for somebody in (anna, bert):
            assert somebody.complaints() == []


def _ask(anna: Person, flow: str) -> None:
    anna.open(flow)
    anna.show("#keys")
    assert "takes two people" in anna.page
    form = "form[action$='/do/revoke/']"
    anna.fill_in(f"{form} [name=reason]", "seen in a public repository")
    assert anna.find(f"{form} button").text == "Ask to revoke"
    anna.press(f"{form} button")
    assert "Asked for: Revoke API key version 1. Nothing is changed yet" in anna.page
    anna.show("#keys")
    anna.picture("approval-asked")
    anna.press("#keys a[href*='/approvalrequest/']")
    assert "You asked for this" in anna.page
    assert not anna.driver.find_elements("css selector", "form[action$='/approve/']")


def _approve(bert: Person) -> None:
    bert.open("/admin/")
    assert "Waiting for a second person" in bert.page
    bert.press("a[href$='/approvalrequest/?state=pending']")
    bert.press("#result_list tbody a")
    assert "Revoke API key version 1" in bert.page
    assert "seen in a public repository" in bert.page
    bert.fill_in("#note", "I found it there too")
    bert.picture("approval-request")
    bert.driver.set_window_size(400, 850)
    wide, seen = bert.driver.execute_script(
        "return [document.documentElement.scrollWidth, window.innerWidth]"
    )
    assert wide <= seen
    bert.driver.set_window_size(1280, 900)
    bert.press("form[action$='/approve/'] button:not([formaction])")
    assert "Approved and done: Revoke API key version 1." in bert.page
    assert "I found it there too" in bert.page
    bert.press("a[href='/admin/tenants/auditentry/']")
    for verb in ("approval.request", "key.revoke", "approval.approve", "access.log_in"):
        assert verb in bert.page


def _states(running: Product, made: dict[str, Any]) -> list[str]:
    place = f"{made['scheme']}/{made['address']}"
    done = running.manage("key", "list", "--flow", place, "--purpose", "api_key", "--json")
    return [row["state"] for row in json.loads(done.stdout)["keys"]]
