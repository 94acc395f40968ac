"""The people of the admin tests: nobody, staff without rights, a viewer, an administrator."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client as Browser

from tests.support import test_keys


@pytest.fixture
def quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the committed RSA keys instead of generating."""
    test_keys.use_committed_rsa_keys(monkeypatch)


@pytest.fixture
def sign_in(db: None) -> Callable[..., Browser]:
    """Return a browser signed in as staff with some permissions: ``sign_in("view_flow", …)``."""

    def sign_in(*codenames: str, is_superuser: bool = False) -> Browser:
        name = "root" if is_superuser else "-".join(["staff", *codenames])[:150]
        user = User.objects.create_user(name, is_staff=True, is_superuser=is_superuser)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        browser = Browser()
        browser.force_login(user)
        return browser

    return sign_in


@pytest.fixture
def administrator(sign_in: Callable[..., Browser]) -> Browser:
    """A browser signed in as a superuser."""
    return sign_in(is_superuser=True)
