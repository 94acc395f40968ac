"""People with passwords, and their authenticator apps."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client as Browser
from django.urls import reverse
from django_otp.oath import totp

PASSWORD = "correct horse battery"


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create_superuser("root", password=PASSWORD)


@pytest.fixture
def log_in() -> Callable[..., Browser]:
    """Return a browser that gave name and password: ``log_in(root)``."""

    def log_in(user: User, password: str = PASSWORD) -> Browser:
        browser = Browser()
        data = {"username": user.get_username(), "password": password}
        browser.post(reverse("admin:login"), data)
        return browser

    return log_in


class App:
    """An authenticator app on a phone whose clock the test sets."""

    def __init__(self, page: str) -> None:
        found = re.search(r"<code class=\"sg-code\">([A-Z2-7]+)</code>", page)
        assert found is not None
        self.text = found[1]
        self._key = base64.b32decode(self.text + "=" * (-len(self.text) % 8))

    def code(self, steps: int = 0) -> str:
        """Return the code of now, or of ``steps`` steps of 30 seconds later."""
        t0 = -30 * steps
        assert time.time() > 0
        return f"{totp(self._key, t0=t0):06d}"


@pytest.fixture
def make_app() -> type[App]:
    return App
