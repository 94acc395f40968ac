"""The second factor: set up once, asked for at every log-in, and no page without it."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from console.models import SecondFactor
from tests.console.conftest import App

pytestmark = pytest.mark.django_db
LogIn = Callable[..., Browser]
PAGE = "/admin/second-factor/"


@pytest.fixture(autouse=True)
def _enforced(settings: Any) -> None:
    settings.SECOND_FACTOR = True


def set_up(browser: Browser) -> App:
    app = App(html.unescape(browser.get(PAGE).content.decode()))
    answer = browser.post(PAGE, {"code": app.code()})
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")
    return app


def forget_last_code() -> None:
    SecondFactor.objects.update(last_step=-1, throttling_failure_timestamp=None)


def test_a_password_alone_opens_no_page_but_the_set_up(root: User, log_in: LogIn) -> None:
    browser = log_in(root)
    for name in ("index", "tenants_flow_changelist", "confirm", "auth_user_changelist"):
        url = reverse(f"admin:{name}")
        answer = browser.get(url)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/admin/login/"), name
        asked = browser.get(url, follow=True)
        assert asked.redirect_chain[-1][0].startswith(PAGE)
    page = browser.get(PAGE)
    assert page["Cache-Control"] == "no-store"
    assert "data:image/svg+xml;base64," in page.content.decode()


def test_it_is_set_up_with_a_code_and_then_asked_for(root: User, log_in: LogIn) -> None:
    browser = log_in(root)
    app = set_up(browser)
    assert browser.get("/admin/").status_code == 200
    factor = SecondFactor.objects.get()
    assert factor.confirmed
    assert app.text.encode() not in bytes(factor.sealed)
    again = log_in(root)
    page = again.get(PAGE).content.decode()
    assert app.text not in page
    assert "data:image/svg" not in page
    assert again.get("/admin/").status_code == 302
    forget_last_code()
    data = {"code": app.code(), "next": "/admin/tenants/flow/"}
    assert again.post(PAGE, data)["Location"] == "/admin/tenants/flow/"
    assert again.get("/admin/tenants/flow/").status_code == 200


def test_a_code_is_good_once(root: User, log_in: LogIn) -> None:
    app = set_up(log_in(root))
    browser = log_in(root)
    answer = browser.post(PAGE, {"code": app.code()})
    assert answer.status_code == 200
    assert "That code is wrong, was used before" in answer.content.decode()
    assert browser.get("/admin/").status_code == 302


@pytest.mark.parametrize("code", ["", "abcdef", "1" * 400, "²²²²²²", "-12345", "\x00"])
def test_what_is_no_code_opens_nothing(root: User, log_in: LogIn, code: str) -> None:
    set_up(log_in(root))
    browser = log_in(root)
    assert browser.post(PAGE, {"code": code}).status_code == 200
    assert browser.get("/admin/").status_code == 302


@pytest.mark.parametrize(("steps", "is_taken"), [(-2, False), (-1, True), (1, True), (3, False)])
def test_clocks_may_differ_by_one_step(
    root: User, log_in: LogIn, steps: int, is_taken: bool
) -> None:
    app = set_up(log_in(root))
    forget_last_code()
    browser = log_in(root)
    browser.post(PAGE, {"code": app.code(steps)})
    assert (browser.get("/admin/").status_code == 200) == is_taken


def test_wrong_codes_make_the_right_one_wait(root: User, log_in: LogIn) -> None:
    app = set_up(log_in(root))
    browser = log_in(root)
    for _ in range(3):
        browser.post(PAGE, {"code": "abc"})
        SecondFactor.objects.update(throttling_failure_timestamp=None)
    SecondFactor.objects.update(
        last_step=-1, throttling_failure_timestamp=timezone.now(), throttling_failure_count=8
    )
    assert browser.post(PAGE, {"code": app.code()}).status_code == 200
    assert browser.get("/admin/").status_code == 302


def test_somebody_elses_factor_is_of_no_use(root: User, log_in: LogIn) -> None:
    app = set_up(log_in(root))
    other = User.objects.create_superuser("other", password="correct horse battery")
    browser = log_in(other)
    browser.get(PAGE)
    forget_last_code()
    assert browser.post(PAGE, {"code": app.code()}).status_code == 200
    assert browser.get("/admin/").status_code == 302


@pytest.mark.parametrize("next_page", ["https://evil.example/", "//evil.example", "/docs", "x"])
def test_it_leads_nowhere_but_into_the_admin(root: User, log_in: LogIn, next_page: str) -> None:
    browser = log_in(root)
    app = App(browser.get(PAGE).content.decode())
    answer = browser.post(PAGE, {"code": app.code(), "next": next_page})
    assert answer["Location"] == "/admin/"


def test_nobody_and_who_is_not_staff_get_no_secret(log_in: LogIn) -> None:
    nobody = Browser().get(PAGE)
    assert (nobody.status_code, nobody["Location"]) == (302, "/admin/login/")
    browser = Browser()
    browser.force_login(User.objects.create_user("visitor"))
    assert browser.get(PAGE).status_code == 302
    assert not SecondFactor.objects.exists()


def test_a_lost_phone_is_forgotten_and_its_sessions_end(root: User, log_in: LogIn) -> None:
    browser = log_in(root)
    set_up(browser)
    call_command("forget_second_factor", "root")
    assert not SecondFactor.objects.exists()
    assert browser.get("/admin/").status_code == 302
    set_up(log_in(root))
    with pytest.raises(CommandError, match="nobody called x"):
        call_command("forget_second_factor", "x")


def test_where_it_is_not_enforced_who_set_one_up_is_asked(
    root: User, log_in: LogIn, settings: Any
) -> None:
    settings.SECOND_FACTOR = False
    browser = log_in(root)
    assert browser.get("/admin/").status_code == 200
    set_up(browser)
    again = log_in(root)
    assert again.get("/admin/").status_code == 302


def test_where_it_is_not_enforced_a_session_left_open_is_asked_for_the_password(
    root: User, log_in: LogIn, settings: Any
) -> None:
    settings.SECOND_FACTOR = False
    browser = log_in(root)
    session = browser.session
    session["confirmed_at"] = session["confirmed_at"] - 301
    session.save()
    assert browser.get(PAGE)["Location"].startswith("/admin/confirm/")
    assert not SecondFactor.objects.exists()
