"""An administrator's first hour, in a real browser against a running copy of the product."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3
from django_otp.oath import totp

from tests.support import product
from tests.support.browser import Person, person
from tests.support.product import Product

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
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
        somebody.fill_in("[name=username]", "admin")
        somebody.fill_in("[name=password]", password)
        somebody.press("#login-form button")
        assert somebody.path.startswith("/admin/second-factor/")
        assert "Set up your second factor" in somebody.page
        text = somebody.find("code.sg-code").text
        key = base64.b32decode(text + "=" * (-len(text) % 8))
        somebody.fill_in("#code", f"{totp(key):06d}")
        somebody.press("form button")
        assert somebody.path == "/admin/", somebody.page
        yield somebody


def test_from_a_new_client_to_a_rotated_key(admin: Person) -> None:
    admin.open("/admin/tenants/client/add/")
    admin.fill_in("[name=slug]", "acme")
    admin.fill_in("[name=name]", "Acme Ltd")
    admin.press("[name=_save]")
    admin.open("/admin/tenants/flow/add/")
    admin.picture("admin-contracts")
    admin.press("a[href*='scheme=citcall']")
    admin.driver.execute_script(
        "const list = document.querySelector('[name=client]'); list.selectedIndex = 1;"
    )
    admin.press("[name=_save]")
    assert "This page is shown once." in admin.page
    assert "The partner's credentials as JSON" in admin.page
    secret = admin.find("#credentials-json").text
    admin.press("a[href*='/change/']:not([class*='active'])")
    flow = admin.path
    assert secret not in admin.page
    assert admin.find("#flow-url").text.endswith("/v2/asynccall")
    admin.picture("admin-flow")
    admin.press("#keys form[action$='/generate/'] button")
    assert "This page is shown once." in admin.page
    admin.open(flow)
    admin.press("form[action$='/do/promote/'] button")
    assert "is active." in admin.page
    assert "Retiring: still opens, until its time" in admin.page
    admin.show("#keys")
    admin.picture("admin-keys")
    admin.fill_in("form[action$='/do/revoke/'] [name=reason]", "seen in a public repository")
    admin.press("form[action$='/do/revoke/'] button")
    assert "Within a second it opens nothing anywhere." in admin.page
    admin.open("/admin/")
    assert re.search(r"Requests, 24 hours\s+12\s", admin.page)
    time.sleep(1)  # the charts grow into place
    admin.picture("admin-overview")
    assert admin.complaints() == []


def test_the_first_page_on_a_phone_in_the_dark(admin: Person) -> None:
    admin.driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"features": [{"name": "prefers-color-scheme", "value": "dark"}]},
    )
    admin.driver.set_window_size(400, 850)
    admin.open("/admin/")
    admin.find("html.dark")
    time.sleep(1)  # the charts grow into place
    wide, seen = admin.driver.execute_script(
        "return [document.documentElement.scrollWidth, window.innerWidth]"
    )
    assert wide <= seen
    admin.picture("admin-phone")
    admin.driver.set_window_size(1280, 900)
    assert admin.complaints() == []


def test_a_session_that_ended_leads_to_the_log_in_and_does_nothing(admin: Person) -> None:
    admin.open("/admin/tenants/flow/")
    admin.press("#result_list tbody a")
    admin.driver.delete_cookie("sessionid")
    admin.press("#keys form[action$='/generate/'] button")
    assert admin.path.startswith("/admin/login/")
    assert "shown once" not in admin.page
