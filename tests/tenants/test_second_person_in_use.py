"""Where two people are needed, who asks confirms that a version is in use; who decides sees it."""

from __future__ import annotations

import html
from datetime import timedelta

import pytest
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from tenants import key_use, lifecycle
from tenants.actors import Actor
from tenants.lifecycle import UseNotConfirmedError, approvals
from tenants.models import ApprovalRequest, AuditEntry, Client, Flow, Key
from tests.tenants.admin_pages import verb_url
from tests.tenants.asking import TOKEN, nothing_happens

pytestmark = pytest.mark.django_db


def ask(actor: Actor, key: Key, typed: str = "") -> ApprovalRequest | Key:
    return approvals.do_or_ask(
        actor,
        lambda one: lifecycle.revoke_key(one, key, reason="leaked", confirmed_use=typed),
        reason="leaked",
    )


@pytest.fixture
def used(guarded_key: Key) -> Key:
    key_use.note_use((str(guarded_key.pk),))
    return guarded_key


def test_who_asks_types_which_one_it_is(used: Key, anna: Actor, bert: Actor) -> None:
    nothing_happens(UseNotConfirmedError, "is in use", lambda: ask(anna, used))
    nothing_happens(UseNotConfirmedError, "not what stands", lambda: ask(anna, used, "api_key v2"))
    asked = ask(anna, used, " api_key  v1 ")
    assert isinstance(asked, ApprovalRequest)
    assert asked.details == {"reason": "leaked", "confirmed_use": "api_key v1"}
    approvals.approve(bert, asked)
    assert Key.objects.get(pk=used.pk).state == "revoked"


def test_a_use_after_it_was_asked_for_stops_no_approval(
    guarded_key: Key, anna: Actor, bert: Actor
) -> None:
    """An emergency: whoever stole it goes on using it while the second person is found."""
    asked = ask(anna, guarded_key)
    assert isinstance(asked, ApprovalRequest)
    assert asked.details == {"reason": "leaked"}
    key_use.note_use((str(guarded_key.pk),))
    approvals.approve(bert, asked)
    assert Key.objects.get(pk=guarded_key.pk).state == "revoked"


def test_who_decides_sees_the_use(used: Key, anna: Actor, administrator: Browser) -> None:
    asked = ask(anna, used, "api_key v1")
    assert isinstance(asked, ApprovalRequest)
    url = reverse("admin:tenants_approvalrequest_change", args=[asked.pk])
    page = html.unescape(administrator.get(url).content.decode())
    assert "once within 7 days, 1 in all" in page
    Key.objects.filter(pk=used.pk).update(last_used_at=timezone.now() - timedelta(days=8))
    assert "within 7 days" not in administrator.get(url).content.decode()


def test_the_page_that_asks_comes_before_the_request(used: Key, administrator: Browser) -> None:
    answer = administrator.post(verb_url(used, "revoke"), {"reason": "leaked"})
    assert "Who still uses API key version 1 of" in answer.content.decode()
    assert not ApprovalRequest.objects.exists()
    shown = html.unescape(answer.content.decode())
    assert "Ask to revoke" in shown
    assert "This asks another administrator." in shown
    assert "Within a second it opens nothing" not in shown
    said = {"reason": "leaked", "confirmed_use": "api_key v1"}
    page = administrator.post(verb_url(used, "revoke"), said, follow=True).content.decode()
    assert "Asked for: Revoke API key version 1." in page
    assert ApprovalRequest.objects.count() == 1


def test_what_needs_no_second_person_is_called_as_it_is(
    used: Key, actor: Actor, client_row: Client, administrator: Browser
) -> None:
    """Promoting without an overlap is done at once; so is revoking without the policy."""
    staged = lifecycle.generate_key(actor, used.flow, "api_key").key
    page = administrator.post(verb_url(staged, "promote"), {"overlap_days": "0"}).content.decode()
    assert "Promote without an overlap" in page
    assert "asks another" not in page
    Client.objects.filter(pk=client_row.pk).update(needs_second_person=False)
    page = administrator.post(verb_url(used, "revoke"), {"reason": "leaked"}).content.decode()
    assert "Within a second it opens nothing anywhere, and never will again." in page
    assert "Ask to revoke" not in page


def test_erasing_is_asked_for_from_the_page(
    guarded: Flow, guarded_key: Key, actor: Actor, administrator: Browser
) -> None:
    staged = lifecycle.generate_key(actor, guarded, "api_key").key
    retired = lifecycle.retire_key(actor, staged)
    data = {"days": "10", "reason": "old"}
    url = verb_url(retired, "schedule_destruction")
    page = administrator.post(url, data, follow=True).content.decode()
    assert "Asked for: Erase the material of API key version 2." in page
    asked = ApprovalRequest.objects.get()
    assert Key.objects.get(pk=retired.pk).destroy_at is None
    shown = administrator.get(reverse("admin:tenants_approvalrequest_change", args=[asked.pk]))
    assert "10 days from the approval on" in shown.content.decode()


def test_one_is_enough_to_cancel(guarded: Flow, actor: Actor) -> None:
    staged = lifecycle.generate_key(actor, guarded, "api_key").key
    retired = lifecycle.retire_key(actor, staged)
    Key.objects.filter(pk=retired.pk).update(destroy_at=timezone.now() + timedelta(days=1))
    assert lifecycle.cancel_destruction(actor, retired).destroy_at is None


def test_an_import_keeps_its_expiry(guarded: Flow, anna: Actor, bert: Actor) -> None:
    until = timezone.now() + timedelta(days=90)
    material = lifecycle.read_text(guarded, "api_key", TOKEN)
    asked = approvals.do_or_ask(
        anna,
        lambda one: lifecycle.import_key(one, guarded, "api_key", material, expires_at=until),
        reason="theirs",
        material=material,
    )
    assert isinstance(asked, ApprovalRequest)
    approvals.approve(bert, asked)
    assert guarded.keys.get(purpose="api_key", version=2).expires_at == until
    assert AuditEntry.objects.get(verb="key.import").after["expires_at"] == until.isoformat()
