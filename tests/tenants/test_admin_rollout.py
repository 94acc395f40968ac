"""The page of a flow says which processes have loaded a staged version, and promotes it then."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pytest
from django.test import Client as Browser

from tenants import lifecycle
from tenants.actors import Actor
from tenants.admin import key as key_admin
from tenants.lifecycle import IssuedFlow
from tenants.models import AuditEntry, Key
from tests.tenants.admin_pages import flow_url, form_of, secret_url, verb_url
from tests.tenants.reports import report

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_keys")]
Make = Callable[..., IssuedFlow]
SignIn = Callable[..., Browser]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_admin, "_WAIT_SECONDS", 0.2)


@pytest.fixture
def staged(make_flow: Make, actor: Actor) -> Key:
    return lifecycle.generate_key(actor, make_flow("citcall").flow, "api_key").key


def page_of(browser: Browser, key: Key) -> str:
    return html.unescape(browser.get(flow_url(key.flow)).content.decode())


def press(browser: Browser, key: Key, **data: str) -> str:
    answer = browser.post(verb_url(key, "promote"), {"overlap_days": "7", **data}, follow=True)
    assert answer.redirect_chain == [(secret_url(key), 302)]
    return html.unescape(answer.content.decode())


def state(key: Key) -> str:
    return Key.objects.get(pk=key.pk).state


def test_the_list_of_processes(administrator: Browser, staged: Key) -> None:
    for pid in (11, 12):
        report(pid)
    report(13, behind=1, silent=4)
    report(14, kind="worker", cannot_load=(staged.flow,))
    report(15, silent=99)
    page = page_of(administrator, staged)
    assert page.count("Loaded by 2 of 4 processes") == 1
    assert page.count("web node-a:12") == 1
    assert re.search(r"web node-a:13</span>, last report \d+ s ago", page)
    assert "has not loaded it yet" in page
    assert "cannot load the keys of this flow" in page
    assert "node-a:15" not in page


def test_where_nothing_is_staged_or_nothing_runs_there_is_no_list(
    administrator: Browser, staged: Key, actor: Actor
) -> None:
    assert "Loaded by" not in page_of(administrator, staged)
    lifecycle.promote_key(actor, staged)
    report(11, behind=1)
    assert "Loaded by" not in page_of(administrator, staged)


def test_the_button_names_whom_it_waited_for_in_vain(administrator: Browser, staged: Key) -> None:
    report(11)
    report(12, behind=1)
    page = press(administrator, staged)
    assert "API key version 2 cannot be promoted yet. Loaded by 1 of 2 processes." in page
    assert "web node-a:12 has not loaded it yet" in page
    assert state(staged) == "staged"
    assert not AuditEntry.objects.filter(verb="key.promote").exists()


def test_the_button_promotes_what_everybody_has_loaded(administrator: Browser, staged: Key) -> None:
    report(11)
    assert "Promote anyway" not in page_of(administrator, staged)
    assert "API key version 2 is active." in press(administrator, staged)
    assert state(staged) == "active"


def test_promoting_anyway_takes_a_reason_and_a_typed_phrase(
    administrator: Browser, staged: Key
) -> None:
    report(12, behind=1)
    form = form_of(administrator.get(flow_url(staged.flow)).content.decode(), "override")
    assert form | {"csrfmiddlewaretoken": ""} == {
        "csrfmiddlewaretoken": "",
        "overlap_days": "7",
        "override": "",
        "confirm": "",
    }
    for said in ({"override": "burns"}, {"override": "burns", "confirm": "promote"}):
        assert "Type 'promote anyway' to confirm." in press(administrator, staged, **said)
    assert "needs a reason" in press(administrator, staged, confirm="promote anyway")
    assert state(staged) == "staged"
    page = press(administrator, staged, override="burns", confirm="Promote anyway")
    assert "API key version 2 is active." in page
    entry = AuditEntry.objects.get(verb="key.promote")
    assert (entry.actor, entry.reason) == ("root", "burns")
    assert entry.after["not_loaded_by"] == ["web node-a:12: has not loaded it yet"]


def test_who_may_only_look_sees_the_list_and_no_way_round_it(sign_in: SignIn, staged: Key) -> None:
    report(12, behind=1)
    page = page_of(sign_in("view_flow", "view_key"), staged)
    assert "Loaded by 0 of 1 process" in page
    assert "Promote anyway" not in page
