"""A hand-over link under the policy: shown to who asked, and opening only once it is approved."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from tenants import lifecycle
from tenants.actors import Actor
from tenants.lifecycle import (
    HandOverClosedError,
    LifecycleError,
    SecondPersonNeededError,
    approvals,
)
from tenants.models import ApprovalRequest, AuditEntry, Flow, HandOver, Key
from tests.tenants.admin_pages import flow_url
from tests.tenants.approval_pages import as_person, page, press, read
from tests.tenants.asking import nothing_happens

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_keys")]
PARTNER = "203.0.113.9"


def ask(actor: Actor, flow: Flow, token: str, hours: int = 72) -> ApprovalRequest:
    asked = approvals.do_or_ask(
        actor,
        lambda one: lifecycle.create_handover(
            one, flow, lifetime=timedelta(hours=hours), token=token
        ),
        reason="go-live",
        material=lifecycle.digest_of(token).encode("ascii"),
    )
    assert isinstance(asked, ApprovalRequest)
    return asked


def test_without_a_second_person_there_is_no_link(guarded: Flow, anna: Actor) -> None:
    nothing_happens(
        SecondPersonNeededError,
        "handover.create needs a second person here",
        lambda: lifecycle.create_handover(anna, guarded),
    )
    assert not HandOver.objects.exists()


def test_the_link_opens_from_the_approval_on(guarded: Flow, anna: Actor, bert: Actor) -> None:
    token = lifecycle.new_token()
    asked = ask(anna, guarded, token, hours=24)
    assert asked.details == {"keys": ["api_key/1", "callback_signing/1"], "hours": 24.0}
    with pytest.raises(HandOverClosedError):
        lifecycle.open_handover(token, address=PARTNER)
    approvals.approve(bert, asked)
    link = HandOver.objects.get()
    assert link.created_by == "anna"
    assert abs(link.expires_at - timezone.now() - timedelta(hours=24)) < timedelta(minutes=1)
    entry = AuditEntry.objects.get(verb="handover.create")
    assert (entry.actor, entry.after["approved_by"]) == ("anna", "bert")
    opened = lifecycle.open_handover(token, address=PARTNER)
    assert opened.bundle.credentials["api_key"]
    with pytest.raises(HandOverClosedError):
        lifecycle.open_handover(token, address=PARTNER)


def test_the_token_is_kept_nowhere(guarded: Flow, anna: Actor) -> None:
    token = lifecycle.new_token()
    asked = ask(anna, guarded, token)
    digest = lifecycle.digest_of(token)
    for text in (token, digest):
        assert text not in str(ApprovalRequest.objects.values().get())
        assert text not in str(list(AuditEntry.objects.values()))
        assert text.encode() not in bytes(asked.arguments)


def test_a_refused_one_never_opens(guarded: Flow, anna: Actor, bert: Actor) -> None:
    token = lifecycle.new_token()
    approvals.refuse(bert, ask(anna, guarded, token))
    with pytest.raises(HandOverClosedError):
        lifecycle.open_handover(token, address=PARTNER)
    assert not HandOver.objects.exists()


def test_a_second_link_for_the_same_is_not_asked_for(guarded: Flow, anna: Actor) -> None:
    """The first one was shown and will open; a second would be shown and never would."""
    token = lifecycle.new_token()
    first = ask(anna, guarded, token)
    assert ask(anna, guarded, token).pk == first.pk
    nothing_happens(
        LifecycleError,
        "You asked for this already, in another way",
        lambda: ask(anna, guarded, lifecycle.new_token()),
    )
    assert ask(anna, guarded, lifecycle.new_token(), hours=1).pk != first.pk


def test_a_version_that_ended_meanwhile_is_not_handed_over(
    guarded: Flow, guarded_key: Key, anna: Actor, bert: Actor
) -> None:
    asked = ask(anna, guarded, lifecycle.new_token())
    lifecycle.promote_key(
        anna,
        lifecycle.generate_key(anna, guarded, "api_key").key,
        overlap=timedelta(0),
    )
    nothing_happens(
        LifecycleError, "is retired. Hand over a staged", lambda: approvals.approve(bert, asked)
    )


# --- in the admin --------------------------------------------------------------------------


def test_the_button_asks_and_shows_the_link_once(
    guarded: Flow, guarded_key: Key, anna: Actor, bert: Actor
) -> None:
    browser = as_person("anna")
    assert "Ask for a hand-over link" in read(browser, flow_url(guarded))
    url = reverse("admin:tenants_handover_make", args=[guarded.pk])
    data = {"key": str(guarded_key.pk), "hours": "24", "reason": "go-live"}
    answer = browser.post(url, data)
    assert "no-store" in answer["Cache-Control"]
    text = html.unescape(answer.content.decode())
    assert "The hand-over link is asked for" in text
    assert "opens nothing until another administrator approves" in text
    found = re.search(r"#([A-Za-z0-9_-]{43})", text)
    assert found is not None
    asked = ApprovalRequest.objects.get()
    assert page(asked) in text
    for who in ("anna", "bert"):
        for address in (page(asked), flow_url(guarded)):
            assert found[1] not in read(as_person(who), address)
    press(as_person("bert"), page(asked, "approve"))
    assert lifecycle.open_handover(found[1], address=PARTNER).bundle.credentials


def test_the_page_of_the_request_says_what_is_handed_over(
    guarded: Flow, guarded_key: Key, anna: Actor, bert: Actor
) -> None:
    asked = ask(anna, guarded, lifecycle.new_token(), hours=24)
    text = read(as_person("bert"), page(asked))
    assert "Hand over API key version 1" in text
    assert "24 hours" in text
    assert guarded_key.fingerprint in text


def test_without_a_reason_nothing_is_asked_for_or_shown(
    guarded: Flow, guarded_key: Key, anna: Actor
) -> None:
    browser: Browser = as_person("anna")
    url = reverse("admin:tenants_handover_make", args=[guarded.pk])
    text = press(browser, url, key=str(guarded_key.pk), hours="24")
    assert "Asking needs a reason" in text
    assert "handover-link" not in text
    assert not ApprovalRequest.objects.exists()


def test_the_page_that_shows_a_new_secret_asks_too(guarded: Flow, anna: Actor) -> None:
    url = reverse("admin:tenants_flow_generate", args=[guarded.pk])
    answer = as_person("anna").post(url, {"purpose": "api_key", "version": "2"})
    text = html.unescape(answer.content.decode())
    assert "Ask for a hand-over link instead of copying" in text
