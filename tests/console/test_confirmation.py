"""Work on keys asks again who is there after five minutes; wrong passwords lock out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.urls import reverse

from tenants import lifecycle
from tenants.actors import Actor
from tenants.lifecycle import IssuedFlow
from tenants.models import AuditEntry, Flow, HandOver, Key
from tests.console.conftest import PASSWORD, App
from tests.tenants.admin_pages import flow_url, form_of, new_flow_url, verb_url

pytestmark = pytest.mark.django_db
LogIn = Callable[..., Browser]
CONFIRM = "/admin/confirm/"


@pytest.fixture
def staged(make_flow: Callable[..., IssuedFlow], actor: Actor) -> Key:
    return lifecycle.generate_key(actor, make_flow("citcall").flow, "api_key").key


def let_pass(browser: Browser, seconds: int) -> None:
    session = browser.session
    session["confirmed_at"] = session["confirmed_at"] - seconds
    session.save()


def buttons(staged: Key, handover: HandOver) -> list[tuple[str, dict[str, str]]]:
    active = staged.flow.keys.get(purpose="api_key", state="active")
    return [
        (verb_url(staged, "promote"), {"overlap_days": "7"}),
        (verb_url(staged, "retire"), {}),
        (verb_url(active, "revoke"), {"reason": "leaked"}),
        (
            reverse("admin:tenants_flow_generate", args=[staged.flow_id]),
            {"purpose": "api_key", "version": "3"},
        ),
        (
            reverse("admin:tenants_flow_import", args=[staged.flow_id]),
            {"purpose": "api_key", "text": "0123456789abcdef0123456789abcdef"},
        ),
        (
            reverse("admin:tenants_handover_make", args=[staged.flow_id]),
            {"key": str(staged.pk)},
        ),
        (reverse("admin:tenants_handover_withdraw", args=[handover.pk]), {}),
    ]


def everything() -> tuple[Any, ...]:
    return (
        list(Key.objects.values().order_by("pk")),
        list(HandOver.objects.values().order_by("pk")),
        AuditEntry.objects.count(),
    )


def test_a_stale_session_does_nothing_with_keys(
    root: User, log_in: LogIn, staged: Key, actor: Actor
) -> None:
    handover = lifecycle.create_handover(actor, staged.flow).handover
    browser = log_in(root)
    let_pass(browser, 301)
    before = everything()
    for url, data in buttons(staged, handover):
        answer = browser.post(url, data)
        target = urlsplit(answer["Location"])
        assert (answer.status_code, target.path) == (302, CONFIRM), url
        (back,) = parse_qs(target.query)["next"]
        page, _, place = back.partition("#")
        assert page == flow_url(staged.flow)
        # Back to where the button is, which then is pressed again.
        assert f' id="{place}"' in browser.get(page).content.decode()
    assert everything() == before


def test_the_password_makes_it_fresh_for_five_minutes(
    root: User, log_in: LogIn, staged: Key
) -> None:
    browser = log_in(root)
    let_pass(browser, 301)
    page = browser.get(CONFIRM, {"next": flow_url(staged.flow)}).content.decode()
    data = {**form_of(page, "password"), "password": PASSWORD}
    answer = browser.post(CONFIRM, data, follow=True)
    assert answer.redirect_chain == [(flow_url(staged.flow), 302)]
    assert "nothing typed was kept: do it again" in answer.content.decode()
    let_pass(browser, 290)
    browser.post(verb_url(staged, "promote"), {"overlap_days": "7"})
    assert Key.objects.get(pk=staged.pk).state == "active"


def test_a_wrong_password_confirms_nothing(root: User, log_in: LogIn, staged: Key) -> None:
    browser = log_in(root)
    let_pass(browser, 301)
    answer = browser.post(CONFIRM, {"password": "wrong"})
    assert answer.status_code == 200
    assert "That password is wrong." in answer.content.decode()
    assert browser.post(verb_url(staged, "retire"))["Location"].startswith(CONFIRM)


def test_a_mark_from_the_future_or_of_another_kind_is_stale(
    root: User, log_in: LogIn, staged: Key
) -> None:
    browser = log_in(root)
    for mark in (99_999_999_999, "soon", None, 1.5):
        session = browser.session
        session["confirmed_at"] = mark
        session.save()
        assert browser.post(verb_url(staged, "retire"))["Location"].startswith(CONFIRM)


def test_who_has_a_second_factor_confirms_with_it_too(
    root: User, log_in: LogIn, staged: Key
) -> None:
    from console.models import SecondFactor  # noqa: PLC0415

    browser = log_in(root)
    app = App(browser.get("/admin/second-factor/").content.decode())
    browser.post("/admin/second-factor/", {"code": app.code()})
    let_pass(browser, 301)
    SecondFactor.objects.update(last_step=-1)
    assert browser.post(CONFIRM, {"password": PASSWORD}).status_code == 200
    SecondFactor.objects.update(throttling_failure_timestamp=None)
    assert browser.post(CONFIRM, {"password": "wrong", "code": app.code()}).status_code == 200
    assert browser.post(CONFIRM, {"password": PASSWORD, "code": app.code()}).status_code == 302
    browser.post(verb_url(staged, "retire"))
    assert Key.objects.get(pk=staged.pk).state == "retired"


def test_a_new_flow_asks_before_its_form_and_leaves_time_to_fill_it_in(
    root: User, log_in: LogIn, staged: Key
) -> None:
    browser = log_in(root)
    url = new_flow_url("citcall", staged.flow.client)
    page = browser.get(url).content.decode()
    data = {**form_of(page, "new_id"), "client": str(staged.flow.client_id)}
    let_pass(browser, 1700)
    assert browser.get(url)["Location"].startswith(CONFIRM)
    assert browser.post(url, data).status_code == 200
    assert Flow.objects.count() == 2
    let_pass(browser, 200)
    assert browser.post(url, data)["Location"].startswith(CONFIRM)
    assert Flow.objects.count() == 2


def test_the_sixth_log_in_after_five_wrong_ones_is_locked_out(root: User, log_in: LogIn) -> None:
    login = reverse("admin:login")
    for _ in range(5):
        answer = Browser().post(login, {"username": "root", "password": "wrong"})
    assert answer.status_code == 429
    assert "Too many wrong passwords." in answer.content.decode()
    right = Browser().post(login, {"username": "root", "password": PASSWORD})
    assert right.status_code == 429
    elsewhere = Browser(REMOTE_ADDR="203.0.113.9")
    data = {"username": "root", "password": PASSWORD}
    assert elsewhere.post(login, data).status_code == 302


def test_guessing_at_the_confirmation_locks_out_too(root: User, log_in: LogIn) -> None:
    browser = log_in(root)
    for _ in range(5):
        answer = browser.post(CONFIRM, {"password": "wrong"})
    assert answer.status_code == 429
    assert browser.post(CONFIRM, {"password": PASSWORD}).status_code == 429


def test_the_address_that_is_locked_out_is_the_callers_not_the_proxys(
    root: User, settings: Any
) -> None:
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    login = reverse("admin:login")
    data = {"username": "root", "password": "wrong"}
    for _ in range(5):
        Browser(HTTP_X_FORWARDED_FOR="198.51.100.7").post(login, data)
    right = {"username": "root", "password": PASSWORD}
    assert Browser(HTTP_X_FORWARDED_FOR="198.51.100.8").post(login, right).status_code == 302
    assert Browser(HTTP_X_FORWARDED_FOR="198.51.100.7").post(login, right).status_code == 429
