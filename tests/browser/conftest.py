"""What every journey starts from: a running copy of the product, and its administrator.

One file a journey. To each the database is put back as it was before any of them, so that no
journey needs what another left; the server and the administrator's browser go on.
"""

from __future__ import annotations

import base64
import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import urllib3
from django_otp.oath import totp
from selenium import webdriver

from tests.support import product
from tests.support.browser import Person, person
from tests.support.product import Product


@dataclass
class Copy:
    """A copy of the product whose database can be put back, under its running processes."""

    product: Product
    is_touched: bool = False

    def __post_init__(self) -> None:
        self._database = self.product.var / "sealgate.sqlite3"
        self._kept = self.product.var / "kept.sqlite3"

    def keep(self) -> None:
        """Remember the database as it is now."""
        _copy_database(self._database, self._kept)

    def put_back(self) -> None:
        """Make the database what was kept."""
        _copy_database(self._kept, self._database)


def _copy_database(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as here, closing(sqlite3.connect(target)) as there:
        here.backup(there)


@pytest.fixture(scope="session")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """A copy that serves the web, asks for the second factor and was called 12 times."""
    var = tmp_path_factory.mktemp("browser")
    made = product.start(
        var,
        processes=("web",),
        settings={"SEALGATE_SECOND_FACTOR": "on", "SEALGATE_WEB_PROCESSES": "1"},
    )
    try:
        made.manage("first_admin", "--password-file", str(var / "admin-password"))
        for _ in range(12):  # strangers, so that the charts have something to show
            urllib3.request("POST", f"{made.url}/v2/asynccall", body=b"{}", retries=False)
        _wait_for_writers()
        found = Copy(made)
        found.keep()
        yield found
    finally:
        made.stop()


def _wait_for_writers() -> None:
    """Let that be written which is written in batches, behind the requests' backs."""
    time.sleep(1)


@pytest.fixture(scope="module")
def running(copy: Copy) -> Product:
    """The copy as it was before any journey."""
    if copy.is_touched:
        _wait_for_writers()
        copy.put_back()
    copy.is_touched = True
    return copy.product


@pytest.fixture(scope="session")
def window(copy: Copy) -> Iterator[webdriver.Chrome]:
    """The administrator's browser."""
    with person(copy.product.url) as somebody:
        yield somebody.driver


@pytest.fixture(scope="module")
def admin(running: Product, window: webdriver.Chrome) -> Iterator[Person]:
    """The first administrator, signed in with the second factor they were made to set up."""
    somebody = Person(window, running.url)
    somebody.open("/admin/")
    somebody.picture("admin-log-in")
    sign_in(somebody, "admin", Path(running.var / "admin-password").read_text().strip())
    yield somebody
    somebody.leave_nothing()


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
