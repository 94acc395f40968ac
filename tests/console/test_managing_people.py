"""Managing people asks again who is there, and the operators hear of it."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.test import Client as Browser
from django.urls import reverse

from console.models import SecondFactor
from tenants.models import AuditEntry, OperatorNotice
from tests.console.conftest import PASSWORD
from tests.tenants.admin_pages import form_of

pytestmark = pytest.mark.django_db
LogIn = Callable[..., Browser]
CONFIRM = "/admin/confirm/"
SECRET = {
    "password1": "a-new-secret-987",
    "password2": "a-new-secret-987",
    "usable_password": "true",
}


@pytest.fixture
def officer(db: None) -> User:
    user = User.objects.create_user("officer", password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name="Key officer"))
    return user


@pytest.fixture
def operators(settings: Any) -> None:
    settings.OPERATORS_EMAIL = ["ops@company.example"]


def grow_stale(browser: Browser) -> None:
    session = browser.session
    session["confirmed_at"] = 1
    session.save()


def url(name: str, *arguments: int) -> str:
    return reverse(f"admin:auth_{name}", args=arguments)


def people_and_roles() -> tuple[Any, ...]:
    return (
        list(User.objects.values().order_by("pk")),
        list(User.groups.through.objects.values().order_by("pk")),
        list(Group.permissions.through.objects.values().order_by("pk")),
        list(Group.objects.values().order_by("pk")),
    )


def test_a_stale_session_makes_nobody_and_changes_nobody(
    root: User, log_in: LogIn, officer: User
) -> None:
    browser = log_in(root)
    role = Group.objects.get(name="Viewer")
    person, of_role = url("user_change", officer.pk), url("group_change", role.pk)
    pages = {
        url("user_add"): {"username": "mine", **SECRET},
        person: {**form_of(browser.get(person).content.decode(), "username"), "is_superuser": "on"},
        url("user_password_change", officer.pk): {**SECRET, "set-password": "1"},
        url("group_add"): {"name": "Mine"},
        of_role: {"name": "Viewer", "permissions": ["1", "2"]},
    }
    grow_stale(browser)
    before = people_and_roles()
    for page, data in pages.items():
        answer = browser.post(page, data)
        target = urlsplit(answer.headers.get("Location", ""))
        assert (answer.status_code, target.path) == (302, CONFIRM), page
        assert parse_qs(target.query) == {"next": [page]}
    assert people_and_roles() == before
    # The password makes it fresh: the same goes through.
    browser.post(CONFIRM, {"password": PASSWORD})
    for page, data in pages.items():
        before = people_and_roles()
        assert browser.post(page, data).status_code == 302
        assert people_and_roles() != before, page


def test_forms_that_are_all_to_be_filled_in_ask_before(
    root: User, log_in: LogIn, officer: User
) -> None:
    browser = log_in(root)
    grow_stale(browser)
    for page in (url("user_add"), url("user_password_change", officer.pk), url("group_add")):
        assert browser.get(page)["Location"].startswith(CONFIRM), page
    for page in (url("user_change", officer.pk), url("user_changelist"), url("group_changelist")):
        assert browser.get(page).status_code == 200, page


@pytest.mark.usefixtures("operators")
def test_the_operators_hear_of_new_rights(root: User, log_in: LogIn, officer: User) -> None:
    browser = log_in(root)
    page = url("user_change", officer.pk)
    form = form_of(browser.get(page).content.decode(), "username")
    roles = [role.pk for role in Group.objects.filter(name__in=["Key officer", "Approver"])]
    browser.post(page, {**form, "first_name": "Otto", "groups": [str(officer.groups.get().pk)]})
    assert not OperatorNotice.objects.exists()
    browser.post(page, {**form, "is_superuser": "on", "groups": [str(pk) for pk in roles]})
    notice = OperatorNotice.objects.get()
    assert notice.title == "What officer may do was changed"
    assert notice.text.splitlines() == [
        "Superuser: no -> yes",
        "Roles: Key officer -> Approver, Key officer",
        "By: root from 127.0.0.1",
        "The audit trail has it as person.update.",
    ]
    assert AuditEntry.objects.latest("pk").verb == "person.update"


@pytest.mark.usefixtures("operators")
def test_the_operators_hear_of_new_people_passwords_and_roles(
    root: User, log_in: LogIn, officer: User
) -> None:
    browser = log_in(root)
    browser.post(url("user_add"), {"username": "anna", **SECRET})
    browser.post(url("user_password_change", officer.pk), {**SECRET, "set-password": "1"})
    own = {
        "old_password": PASSWORD,
        "new_password1": "mine-987654-3210",
        "new_password2": "mine-987654-3210",
    }
    browser.post(reverse("admin:password_change"), own)
    browser.post(url("group_add"), {"name": "Night\r\nBcc: me@evil.example"})
    role = Group.objects.get(name="Viewer")
    browser.post(url("group_change", role.pk), {"name": "Viewer"})
    titles = list(OperatorNotice.objects.values_list("title", flat=True))
    assert titles == [
        "anna is new",
        "The password of officer was set",
        "The role Night Bcc: me@evil.example is new",
        "The role Viewer was changed",
    ]
    texts = "".join(OperatorNotice.objects.values_list("text", flat=True))
    assert "tenants.view_flow" in texts
    assert SECRET["password1"] not in texts


@pytest.mark.usefixtures("operators")
def test_the_operators_hear_of_a_forgotten_second_factor(officer: User) -> None:
    call_command("forget_second_factor", "officer", stdout=io.StringIO())
    assert not OperatorNotice.objects.exists()
    SecondFactor.objects.filter(pk=SecondFactor.begin(officer).pk).update(confirmed=True)
    call_command("forget_second_factor", "officer", stdout=io.StringIO())
    notice = OperatorNotice.objects.get()
    assert notice.title == "The second factor of officer was forgotten"
    assert "By: shell:" in notice.text
