"""Who may see and decide on requests for a second person in the admin."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.urls import reverse

from tenants.actors import Actor
from tenants.models import Flow, Key
from tests.tenants.approval_pages import (
    DECIDING,
    LIST,
    ROLES,
    as_person,
    page,
    sign_in_as,
)
from tests.tenants.asking import (
    ask_to_import,
    ask_to_revoke,
    everything,
)

pytestmark = [pytest.mark.django_db, pytest.mark.once, pytest.mark.usefixtures("quick_keys")]


@pytest.mark.parametrize("role", [*sorted(ROLES), "nobody", "no role"])
def test_pages_and_buttons_by_role(
    guarded: Flow, guarded_key: Key, anna: Actor, sign_in: Callable[..., Browser], role: str
) -> None:
    asked = ask_to_revoke(anna, guarded_key)
    browser = {"nobody": Browser, "no role": sign_in}.get(role, lambda: sign_in_as(role))()
    for url in (reverse(LIST), page(asked), page(asked, "history")):
        answer = browser.get(url)
        assert answer.status_code == {"nobody": 302, "no role": 403}.get(role, 200)
    for deed in ("withdraw", "refuse", "approve"):
        before = everything()
        answer = browser.post(page(asked, deed))
        is_allowed = deed != "withdraw" and role in DECIDING
        assert (everything() != before) == is_allowed, deed
        assert answer.status_code == (302 if is_allowed or role == "nobody" else 403)
        if is_allowed:
            asked = ask_to_revoke(anna, guarded_key) if deed == "refuse" else asked
    assert (Key.objects.get(pk=guarded_key.pk).state == "revoked") == (role in DECIDING)


@pytest.mark.parametrize("deed", ["approve", "refuse", "withdraw"])
@pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete", "options"])
def test_no_other_method_decides(
    guarded: Flow, guarded_key: Key, anna: Actor, administrator: Browser, deed: str, method: str
) -> None:
    asked = ask_to_revoke(anna, guarded_key)
    before = everything()
    assert getattr(administrator, method)(page(asked, deed)).status_code == 405
    assert everything() == before


@pytest.mark.parametrize("deed", ["approve", "refuse", "withdraw"])
def test_without_the_csrf_token_or_a_fresh_session_nothing_is_decided(
    guarded: Flow, guarded_key: Key, anna: Actor, bert: Actor, deed: str
) -> None:
    asked = ask_to_revoke(anna, guarded_key)
    name = "anna" if deed == "withdraw" else "bert"
    strict = Browser(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username=name))
    stale = as_person(name)
    session = stale.session
    session["confirmed_at"] -= 301
    session.save()
    before = everything()
    assert strict.post(page(asked, deed)).status_code == 403
    answer = stale.post(page(asked, deed))
    assert answer["Location"].startswith("/admin/confirm/")
    assert everything() == before


def test_requests_are_not_typed_in_changed_or_deleted(
    guarded: Flow, guarded_key: Key, anna: Actor, administrator: Browser
) -> None:
    asked = ask_to_revoke(anna, guarded_key)
    before = everything()
    add = reverse("admin:tenants_approvalrequest_add")
    assert administrator.get(add).status_code == 403
    assert administrator.post(add, {"verb": "key.revoke"}).status_code == 403
    assert administrator.post(page(asked), {"state": "approved"}).status_code == 403
    assert administrator.post(page(asked, "delete"), {"post": "yes"}).status_code == 403
    assert everything() == before


def test_what_a_request_carries_cannot_be_asked_for_by_a_filter(
    guarded: Flow, anna: Actor, administrator: Browser
) -> None:
    ask_to_import(anna, guarded)
    for lookup in ("arguments__gte", "key__material__gte", "flow__keys__material__gte"):
        answer = administrator.get(reverse(LIST), {lookup: "01"})
        assert answer.status_code in {302, 400}, lookup
