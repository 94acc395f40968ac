"""Requests for a second person in the admin: asked for by a button, decided on their page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client as Browser
from django.urls import reverse

from tenants import at_rest
from tenants.actors import Actor
from tenants.lifecycle import IssuedFlow, approvals
from tenants.models import ApprovalRequest, AuditEntry, Flow, Key
from tests.tenants.admin_pages import flow_url, verb_url
from tests.tenants.approval_pages import (
    LIST,
    as_person,
    page,
    press,
    read,
)
from tests.tenants.asking import (
    TOKEN,
    ask_to_import,
    ask_to_relax,
    ask_to_revoke,
    everything,
    grow_old,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_keys")]


# --- asking by the buttons of a flow -------------------------------------------------------


def test_the_buttons_of_a_guarded_flow_ask(guarded: Flow, guarded_key: Key, anna: Actor) -> None:
    browser = as_person("anna")
    before = read(browser, flow_url(guarded))
    assert "Ask to revoke" in before
    assert "Ask to import" in before
    assert "takes two people: one asks, another approves" in before
    after = press(browser, verb_url(guarded_key, "revoke"), reason="leaked")
    assert "Asked for: Revoke API key version 1. Nothing is changed yet" in after
    assert Key.objects.get(pk=guarded_key.pk).state == "active"
    asked = ApprovalRequest.objects.get()
    assert (asked.requested_by, asked.reason, asked.key) == ("anna", "leaked", guarded_key)
    assert page(asked) in after
    assert "asked for by anna" in after
    # The other two secrets of the flow can still be asked about, this one not again.
    assert (before.count("Ask to revoke"), after.count("Ask to revoke")) == (3, 2)


def test_an_import_is_asked_for_and_kept_sealed(guarded: Flow, anna: Actor) -> None:
    url = reverse("admin:tenants_flow_import", args=[guarded.pk])
    browser = as_person("anna")
    without = press(browser, url, purpose="api_key", text=TOKEN, reason=" ")
    assert "Asking needs a reason" in without
    assert not ApprovalRequest.objects.exists()
    after = press(browser, url, purpose="api_key", text=TOKEN, reason="the partner's own")
    assert "Asked for: Import API key." in after
    asked = ApprovalRequest.objects.get()
    assert TOKEN not in after
    assert TOKEN not in read(browser, page(asked))
    assert TOKEN not in read(browser, reverse(LIST))
    assert guarded.keys.filter(purpose="api_key").count() == 1


def test_other_flows_have_the_old_buttons(
    make_flow: Callable[..., IssuedFlow], administrator: Browser
) -> None:
    flow = make_flow("citcall").flow
    text = read(administrator, flow_url(flow))
    assert "Ask to" not in text
    assert "two people" not in text


def test_pressing_twice_asks_once(guarded: Flow, guarded_key: Key, anna: Actor) -> None:
    browser = as_person("anna")
    press(browser, verb_url(guarded_key, "revoke"), reason="leaked")
    press(browser, verb_url(guarded_key, "revoke"), reason="leaked")
    assert ApprovalRequest.objects.count() == 1


def test_what_waits_on_a_flow_shows_to_who_may_see_requests(
    guarded: Flow, guarded_key: Key, anna: Actor, sign_in: Callable[..., Browser]
) -> None:
    asked = ask_to_revoke(anna, guarded_key)
    assert page(asked) in read(
        sign_in("view_flow", "view_key", "view_approvalrequest"), flow_url(guarded)
    )
    assert page(asked) not in read(sign_in("view_flow", "view_key"), flow_url(guarded))


# --- the page of a request -----------------------------------------------------------------


def test_the_page_says_what_which_who_why_and_until_when(
    guarded: Flow, guarded_key: Key, anna: Actor, bert: Actor
) -> None:
    asked = ask_to_revoke(anna, guarded_key)
    text = read(as_person("bert"), page(asked))
    digits = guarded_key.fingerprint[:16]
    for part in (
        "Revoke API key version 1",
        "waits for a second person",
        "leaked",
        "anna",
        str(guarded),
        guarded_key.fingerprint,
        f"{digits[:4]} {digits[4:8]}",
        f"{asked.expires_at:%Y}",
        "Within a second it opens nothing anywhere",
    ):
        assert part in text, part


def test_approving_does_it(guarded: Flow, guarded_key: Key, anna: Actor, bert: Actor) -> None:
    asked = ask_to_revoke(anna, guarded_key)
    text = press(as_person("bert"), page(asked, "approve"), note="saw it too")
    assert "Approved and done: Revoke API key version 1." in text
    assert "saw it too" in text
    assert page(asked, "approve") not in text
    assert Key.objects.get(pk=guarded_key.pk).state == "revoked"
    entry = AuditEntry.objects.get(verb="approval.approve")
    assert (entry.actor, entry.actor_address) == ("bert", "127.0.0.1")
    assert entry.request_id
    assert AuditEntry.objects.get(verb="key.revoke").request_id == entry.request_id


def test_refusing_and_withdrawing(
    guarded: Flow, guarded_key: Key, anna: Actor, bert: Actor
) -> None:
    asked = ask_to_revoke(anna, guarded_key)
    text = press(as_person("bert"), page(asked, "refuse"), note="it is in use")
    assert "Refused: Revoke API key version 1. Nothing is changed." in text
    again = ask_to_revoke(anna, guarded_key)
    text = press(as_person("anna"), page(again, "withdraw"))
    assert "Withdrawn: Revoke API key version 1. Nothing is changed." in text
    assert Key.objects.get(pk=guarded_key.pk).state == "active"


def test_an_import_shows_its_fingerprint_and_then_its_key(
    guarded: Flow, anna: Actor, bert: Actor
) -> None:
    asked = ask_to_import(anna, guarded)
    browser = as_person("bert")
    assert asked.details["fingerprint"] in read(browser, page(asked))
    text = press(browser, page(asked, "approve"))
    made = guarded.keys.get(purpose="api_key", version=2)
    assert reverse("admin:tenants_key_change", args=[made.pk]) in text
    assert at_rest.open_sealed(made.material, made.at_rest_context).decode() == TOKEN
    assert TOKEN not in text


def test_buttons_are_only_for_who_may_press_them(
    guarded: Flow, guarded_key: Key, anna: Actor, bert: Actor, carla: Actor
) -> None:
    asked = ask_to_revoke(carla, guarded_key)
    buttons = {
        name: {deed for deed in ("approve", "refuse", "withdraw") if page(asked, deed) in text}
        for name in ("anna", "bert", "carla")
        for text in [read(as_person(name), page(asked))]
    }
    assert buttons == {"anna": set(), "bert": {"approve", "refuse"}, "carla": {"withdraw"}}
    grow_old(asked)
    late = read(as_person("bert"), page(asked))
    assert "expired" in late
    assert page(asked, "approve") not in late


def test_ones_own_request_is_not_approved_by_typing_the_address(
    guarded: Flow, guarded_key: Key, carla: Actor
) -> None:
    asked = ask_to_revoke(carla, guarded_key)
    browser = as_person("carla")
    before = everything()
    text = press(browser, page(asked, "approve"))
    assert "You asked for this yourself" in text
    assert everything() == before


def test_a_decision_too_late_says_so(
    guarded: Flow, guarded_key: Key, anna: Actor, bert: Actor
) -> None:
    asked = ask_to_revoke(anna, guarded_key)
    grow_old(asked)
    text = press(as_person("bert"), page(asked, "approve"))
    assert "expired: nobody decided within 24 hours" in text
    assert Key.objects.get(pk=guarded_key.pk).state == "active"


def test_the_list_filters_by_state_and_verb(
    guarded: Flow, guarded_key: Key, anna: Actor, bert: Actor
) -> None:
    approvals.refuse(bert, ask_to_revoke(anna, guarded_key))
    ask_to_import(anna, guarded)
    browser = as_person("bert")

    def titles(**query: str) -> list[str]:
        answer = browser.get(reverse(LIST), query)
        rows = answer.context["cl"].result_list
        return [row.verb for row in rows]

    assert titles() == ["key.import", "key.revoke"]
    assert titles(state="pending") == ["key.import"]
    assert titles(state="refused") == ["key.revoke"]
    assert titles(verb="key.revoke") == ["key.revoke"]
    assert titles(q="anna") == ["key.import", "key.revoke"]
    assert browser.get(reverse(LIST), {"state": "x\x00"}).status_code == 302


# --- where else it shows -------------------------------------------------------------------


def test_the_side_bar_counts_what_one_can_decide(
    guarded: Flow, guarded_key: Key, anna: Actor, bert: Actor, carla: Actor
) -> None:
    ask_to_revoke(carla, guarded_key)
    ask_to_import(anna, guarded)
    late = ask_to_relax(carla, guarded.client)
    grow_old(late)

    def badge(name: str) -> int:
        answer = as_person(name).get(reverse("admin:index"))
        groups = answer.context["sidebar_navigation"]
        items = {item["title"]: item for group in groups for item in group["items"]}
        return int(items["Approval requests"]["badge"])

    assert [badge(name) for name in ("anna", "bert", "carla")] == [0, 2, 1]


def test_the_first_page_has_a_tile(
    guarded: Flow, guarded_key: Key, anna: Actor, bert: Actor, sign_in: Callable[..., Browser]
) -> None:
    def tile(browser: Browser) -> Any:
        tiles = browser.get(reverse("admin:index")).context["tiles"]
        return next((t for t in tiles if t.title == "Waiting for a second person"), None)

    nothing = tile(as_person("bert"))
    assert (nothing.value, nothing.is_alarm) == ("0", False)
    asked = ask_to_revoke(anna, guarded_key)
    one = tile(as_person("bert"))
    assert (one.value, one.is_alarm) == ("1", True)
    assert f"{asked.expires_at:%Y-%m-%d %H:%M}" in one.note
    listed = as_person("bert").get(one.url)
    assert [row.pk for row in listed.context["cl"].result_list] == [asked.pk]
    assert tile(sign_in("view_key")) is None
