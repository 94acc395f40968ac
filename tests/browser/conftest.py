"""What every journey starts from: a running copy of the product, and its administrator.

One file a journey. Each gets a copy of its own, so that no journey needs what another left.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import urllib3
from django_otp.oath import totp

from tests.support import product
from tests.support.browser import Person, person
from tests.support.product import Product


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A copy that serves the web, asks for the second factor and was called 12 times."""
    var = tmp_path_factory.mktemp("browser")
    made = product.start(var, processes=("web",), settings={"SEALGATE_SECOND_FACTOR": "on"})
    made.manage("first_admin", "--password-file", str(var / "admin-password"))
    for _ in range(12):  # strangers, so that the charts have something to show
        urllib3.request("POST", f"{made.url}/v2/asynccall", body=b"{}", retries=False)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def admin(running: Product) -> Iterator[Person]:
    """The first administrator, signed in with the second factor they were made to set up."""
    password = Path(running.var / "admin-password").read_text().strip()
    with person(running.url) as somebody:
        somebody.open("/admin/")
        somebody.picture("admin-log-in")
        sign_in(somebody, "admin", password)
        yield somebody


def sign_in(somebody: Person, name: str, password: str) -> None:
    """Give name and password, and set up the second factor that is asked for the first time."""
    if not somebody.path.startswith("/admin/login/"):
        somebody.open("/admin/")
    somebody.fill_in("[name=username]", name)
    somebody.fill_in("[name=password]", password)
    somebody.press("#login-form button")
    assert somebody.path.startswith("/admin/second-factor/")
    assert "Set up your second factor" in somebody.page
    text = somebody.find("code.sg-code").text
    key = base64.b32decode(text + "=" * (-len(text) % 8))
    somebody.fill_in("#code", f"{totp(key):06d}")
    somebody.press("form button")
    assert somebody.path == "/admin/", somebody.page


@contextmanager
def staff(running: Product, name: str, role: str) -> Iterator[Person]:
    """Somebody with a role, signed in, in a browser of their own."""
    password = secrets.token_urlsafe(12)
    code = (
        "from django.contrib.auth.models import Group, User;"
        f"user = User.objects.create_user({name!r}, password={password!r}, is_staff=True);"
        f"user.groups.add(Group.objects.get(name={role!r}))"
    )
    running.manage("shell", "-c", code)
    with person(running.url) as somebody:
        sign_in(somebody, name, password)
        yield somebody
