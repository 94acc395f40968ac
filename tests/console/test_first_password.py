"""Passwords are long, and the first administrator's does not stay on the disk unsaid."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.auth.password_validation import get_password_validators, validate_password
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.test import Client as Browser
from django.urls import reverse

from tests.support.module_copy import fresh

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def first(settings: Any, tmp_path: Any) -> User:
    """The first administrator, whose password stands where script/server has it put."""
    settings.VAR_DIR = tmp_path
    call_command("first_admin", password_file=tmp_path / "admin-password")
    return User.objects.get(username="admin")


def notices(user: User) -> list[tuple[str, str]]:
    browser = Browser()
    browser.force_login(user)
    said = browser.get("/admin/").context["notices"]
    return [(notice.text, notice.url) for notice in said]


def test_the_first_page_says_that_the_password_is_there(first: User, tmp_path: Any) -> None:
    path = tmp_path / "admin-password"
    text = f"The first administrator's password still stands in {path}: change it, delete the file."
    assert notices(first) == [(text, reverse("admin:password_change"))]
    other = User.objects.create_superuser("other")
    of_first = reverse("admin:auth_user_password_change", args=[first.pk])
    assert notices(other) == [(text, of_first)]
    path.unlink()
    assert notices(first) == []


def test_who_may_not_change_it_is_not_told(first: User) -> None:
    colleague = User.objects.create_user("colleague", is_staff=True)
    colleague.user_permissions.set(Permission.objects.filter(codename="change_user"))
    assert notices(colleague) == []


@pytest.mark.parametrize(("second_factor", "least"), [("false", 15), ("true", 12)])
def test_a_password_is_longer_where_it_may_be_all_there_is(
    monkeypatch: pytest.MonkeyPatch, second_factor: str, least: int
) -> None:
    monkeypatch.setenv("SEALGATE_SECOND_FACTOR", second_factor)
    asked = get_password_validators(fresh("config.settings").AUTH_PASSWORD_VALIDATORS)
    long_enough = "q7-vq_zw8.kx3;wm"[:least]
    validate_password(long_enough, password_validators=asked)
    with pytest.raises(ValidationError, match=f"at least {least} characters"):
        validate_password(long_enough[:-1], password_validators=asked)
