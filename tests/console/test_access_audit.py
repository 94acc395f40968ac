"""Who got in, was kept out, and was let in stands in the audit trail; wrong guesses do not."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from console.models import SecondFactor
from tenants import lifecycle
from tenants.models import AuditEntry
from tests.console.conftest import PASSWORD, App
from tests.support.product import ROOT
from tests.tenants.admin_pages import form_of

pytestmark = pytest.mark.django_db
LogIn = Callable[..., Browser]
LOGIN = "/admin/login/"
CONFIRM = "/admin/confirm/"
FACTOR = "/admin/second-factor/"


Entry = tuple[str, str, dict[str, Any], dict[str, Any]]


def entries(since: int = 0) -> list[Entry]:
    rows = AuditEntry.objects.filter(pk__gt=since).order_by("pk")
    return [(row.verb, row.actor, row.before, row.after) for row in rows]


def who(user: User) -> dict[str, str]:
    return {"person": user.username, "account": f"user:{user.pk}"}


@pytest.fixture
def inside(root: User, log_in: LogIn) -> Browser:
    """The superuser, signed in; what that left in the trail is out of the way of the test."""
    browser = log_in(root)
    assert browser.get("/admin/").status_code == 200
    return browser


# --- getting in ----------------------------------------------------------------------------


def test_a_log_in_says_who_and_from_where(root: User) -> None:
    browser = Browser(REMOTE_ADDR="203.0.113.9")
    browser.post(LOGIN, {"username": "root", "password": PASSWORD})
    assert entries() == [("access.log_in", "root", {}, {**who(root), "by": "password"})]
    entry = AuditEntry.objects.get()
    assert entry.actor_address == "203.0.113.9"
    assert entry.request_id


def test_the_second_factor_is_noted_when_set_up_and_when_given(root: User, log_in: LogIn) -> None:
    browser = log_in(root)
    app = App(html.unescape(browser.get(FACTOR).content.decode()))
    browser.post(FACTOR, {"code": "000000"})
    SecondFactor.objects.update(throttling_failure_timestamp=None)
    browser.post(FACTOR, {"code": app.code()})
    again = log_in(root)
    SecondFactor.objects.update(last_step=-1)
    again.post(FACTOR, {"code": app.code()})
    by_password: Entry = ("access.log_in", "root", {}, {**who(root), "by": "password"})
    assert entries() == [
        by_password,
        ("access.second_factor", "root", {}, {**who(root), "by": "code"}),
        by_password,
        ("access.log_in", "root", {}, {**who(root), "by": "code"}),
    ]
    assert app.text not in str(entries())


def test_forgetting_it_is_noted_once(root: User, log_in: LogIn) -> None:
    browser = log_in(root)
    app = App(html.unescape(browser.get(FACTOR).content.decode()))
    browser.post(FACTOR, {"code": app.code()})
    last = AuditEntry.objects.latest("pk").pk
    call_command("forget_second_factor", "root", stdout=io.StringIO())
    call_command("forget_second_factor", "root", stdout=io.StringIO())
    ((verb, actor, _, after),) = entries(last)
    assert (verb, after) == ("access.forget_second_factor", who(root))
    assert actor.startswith("shell:")


def test_a_confirmation_is_noted(root: User, inside: Browser) -> None:
    last = AuditEntry.objects.latest("pk").pk
    inside.post(CONFIRM, {"password": "wrong"})
    assert entries(last) == []
    inside.post(CONFIRM, {"password": PASSWORD})
    assert entries(last) == [("access.confirm", "root", {}, {**who(root), "by": "password"})]


# --- kept out ------------------------------------------------------------------------------


def guess(times: int, name: str = "root", address: str = "127.0.0.1") -> None:
    for _ in range(times):
        Browser(REMOTE_ADDR=address).post(LOGIN, {"username": name, "password": "wrong"})


def test_single_wrong_passwords_leave_nothing(root: User) -> None:
    guess(4)
    assert entries() == []


def test_a_lock_out_is_noted_once_however_long_they_go_on(root: User) -> None:
    guess(5)
    after = {**who(root), "by": "password"}
    told: Entry = ("access.locked_out", "anonymous", {}, after)
    assert entries() == [told]
    assert AuditEntry.objects.get().actor_address == "127.0.0.1"
    guess(20)
    assert entries() == [told]
    guess(6, "root", "203.0.113.9")
    assert entries() == [told, told]


def test_the_next_lock_out_is_noted_again(root: User, monkeypatch: pytest.MonkeyPatch) -> None:
    guess(6)
    later = timezone.now() + timedelta(minutes=16)
    monkeypatch.setattr(timezone, "now", lambda: later)
    guess(6)
    assert [verb for verb, *_ in entries()] == ["access.locked_out"] * 2


def test_names_of_nobody_are_not_kept(root: User) -> None:
    """What is typed there may be a password, and there is no end of names."""
    for name in ("hunter2", "x" * 300, "ro\x00ot", ""):
        guess(6, name)
    assert entries() == []


def test_a_name_nobody_can_have_is_no_wrong_password(root: User) -> None:
    for name in ("x" * 151, "x" * 300, "x" * 100_000):
        answer = Browser().post(LOGIN, {"username": name, "password": "wrong"})
        assert answer.status_code == 200
        assert "at most 150 characters" in answer.content.decode()
    assert not AccessAttempt.objects.exists()


def test_guessing_at_a_confirmation_is_noted_with_whose_session_it_is(
    root: User, inside: Browser
) -> None:
    last = AuditEntry.objects.latest("pk").pk
    for _ in range(7):
        inside.post(CONFIRM, {"password": "wrong"})
    assert entries(last) == [
        ("access.locked_out", "root", {}, {**who(root), "by": "password"}),
    ]


def test_wrong_codes_are_noted_once_they_make_the_next_one_wait(root: User, log_in: LogIn) -> None:
    browser = log_in(root)
    app = App(html.unescape(browser.get(FACTOR).content.decode()))
    browser.post(FACTOR, {"code": app.code()})
    browser = log_in(root)
    last = AuditEntry.objects.latest("pk").pk
    for _ in range(6):
        SecondFactor.objects.update(throttling_failure_timestamp=None)
        browser.post(FACTOR, {"code": "abc"})
        browser.post(FACTOR, {"code": "abc"})  # too soon: not even looked at
    assert entries(last) == [
        ("access.locked_out", "root", {}, {**who(root), "by": "code", "failures": failures})
        for failures in (5, 6)
    ]
    assert SecondFactor.objects.get().throttling_failure_count == 6


# --- let in --------------------------------------------------------------------------------


def test_a_new_person_and_what_they_may(root: User, inside: Browser) -> None:
    last = AuditEntry.objects.latest("pk").pk
    data = {
        "username": "anna",
        "password1": "a-new-secret-987",
        "password2": "a-new-secret-987",
        "usable_password": "true",
    }
    inside.post(reverse("admin:auth_user_add"), data)
    anna = User.objects.get(username="anna")
    url = reverse("admin:auth_user_change", args=[anna.pk])
    form = form_of(inside.get(url).content.decode(), "username")
    roles = [group.pk for group in Group.objects.filter(name__in=["Viewer", "Approver"])]
    inside.post(url, {**form, "is_staff": "on", "groups": roles})
    view_key = Permission.objects.get(codename="view_key")
    form = form_of(inside.get(url).content.decode(), "username")
    changed = {
        "username": "anne",
        "is_superuser": "on",
        "groups": roles[:1],
        "user_permissions": [view_key.pk],
    }
    inside.post(url, {**form, **changed})
    anna.refresh_from_db()
    assert (anna.username, anna.is_superuser) == ("anne", True)
    was = {**who(anna), "person": "anna"}
    assert entries(last) == [
        (
            "person.create",
            "root",
            {},
            {
                **was,
                "username": "anna",
                "is_active": True,
                "is_staff": False,
                "is_superuser": False,
                "roles": [],
                "permissions": [],
            },
        ),
        (
            "person.update",
            "root",
            {"is_staff": False, "roles": []},
            {**was, "is_staff": True, "roles": ["Approver", "Viewer"]},
        ),
        (
            "person.update",
            "root",
            {
                "username": "anna",
                "is_superuser": False,
                "roles": ["Approver", "Viewer"],
                "permissions": [],
            },
            {
                **who(anna),
                "username": "anne",
                "is_superuser": True,
                "roles": [Group.objects.get(pk=roles[0]).name],
                "permissions": ["tenants.view_key"],
            },
        ),
    ]


def test_what_says_nothing_about_rights_is_not_kept(root: User, inside: Browser) -> None:
    last = AuditEntry.objects.latest("pk").pk
    url = reverse("admin:auth_user_change", args=[root.pk])
    form = form_of(inside.get(url).content.decode(), "username")
    inside.post(url, {**form, "first_name": "Anna", "email": "anna@partner.example"})
    root.refresh_from_db()
    assert root.email == "anna@partner.example"
    assert entries(last) == []


def test_passwords_that_are_set_are_noted_and_not_kept(root: User, inside: Browser) -> None:
    anna = User.objects.create_user("anna", is_staff=True)
    last = AuditEntry.objects.latest("pk").pk
    url = reverse("admin:auth_user_password_change", args=[anna.pk])
    secret = {"password1": "a-new-secret-987", "password2": "a-new-secret-987"}
    inside.post(url, {**secret, "password2": "other", "usable_password": "true"})
    assert entries(last) == []
    inside.post(url, {**secret, "usable_password": "true", "set-password": "1"})
    mine = "mine-987654321-0"
    own = {"old_password": PASSWORD, "new_password1": mine, "new_password2": mine}
    inside.post(reverse("admin:password_change"), {**own, "old_password": "wrong"})
    inside.post(reverse("admin:password_change"), own)
    anna.refresh_from_db()
    assert anna.check_password("a-new-secret-987")
    assert entries(last) == [
        ("person.password", "root", {}, who(anna)),
        ("person.password", "root", {}, who(root)),
    ]


def test_roles(root: User, inside: Browser) -> None:
    last = AuditEntry.objects.latest("pk").pk
    permissions = {
        name: Permission.objects.get(codename=name).pk for name in ("view_key", "change_key")
    }
    url = reverse("admin:auth_group_add")
    inside.post(url, {"name": "Night shift", "permissions": [permissions["view_key"]]})
    role = Group.objects.get(name="Night shift")
    url = reverse("admin:auth_group_change", args=[role.pk])
    both = list(permissions.values())
    for _ in range(2):
        inside.post(url, {"name": "Night shift", "permissions": both})
    assert entries(last) == [
        (
            "role.create",
            "root",
            {},
            {"role": "Night shift", "name": "Night shift", "permissions": ["tenants.view_key"]},
        ),
        (
            "role.update",
            "root",
            {"permissions": ["tenants.view_key"]},
            {
                "role": "Night shift",
                "permissions": ["tenants.change_key", "tenants.view_key"],
            },
        ),
    ]


def test_the_first_administrator_is_noted(db: None, tmp_path: Path) -> None:
    call_command("first_admin", "--password-file", tmp_path / "password", stderr=io.StringIO())
    ((verb, actor, _, after),) = entries()
    assert (verb, after) == (
        "person.create",
        {**who(User.objects.get()), "is_superuser": True},
    )
    assert actor.startswith("shell:")


def test_a_change_that_fails_leaves_nothing(
    root: User, inside: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entry and change are one transaction: without the one there is not the other."""
    anna = User.objects.create_user("anna")
    url = reverse("admin:auth_user_change", args=[anna.pk])
    form = form_of(inside.get(url).content.decode(), "username")
    last = AuditEntry.objects.latest("pk").pk

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the trail cannot be written")

    monkeypatch.setattr("tenants.audit_chain.append", broken)
    with pytest.raises(RuntimeError):
        inside.post(url, {**form, "is_superuser": "on"})
    anna.refresh_from_db()
    assert not anna.is_superuser
    assert entries(last) == []


def test_every_verb_is_one_the_lists_filter_offers() -> None:
    """Whatever the sources write to the trail as a verb."""
    written = set()
    for folder in ("console", "tenants"):
        for path in (ROOT / folder).rglob("*.py"):
            pattern = r'"((?:access|approval|client|flow|key|person|role)\.[a-z_]+)"'
            written |= set(re.findall(pattern, path.read_text()))
    assert {"access.log_in", "person.password", "approval.break_glass"} <= written
    assert written <= set(lifecycle.VERBS)
