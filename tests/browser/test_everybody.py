"""The admin on a telephone and without a mouse: nothing sticks out, all is labelled and reached."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.browser import Person
from tests.support.product import Product

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(600)]

#: Run in the page: what is wider than the window, by its tag and classes.
_TOO_WIDE = """
const root = document.documentElement;
if (root.scrollWidth <= window.innerWidth) return [];
return [...document.querySelectorAll("body *")]
  .filter(e => e.getBoundingClientRect().right > window.innerWidth + 1 && e.offsetParent)
  .slice(0, 5).map(e => e.outerHTML.slice(0, 160));
"""
#: Fields that nothing names. The check box of an action stands in a table whose heads name it.
_UNNAMED = """
const named = e => e.labels?.length || e.getAttribute("aria-label")
  || e.getAttribute("aria-labelledby") || e.title;
return [...document.querySelectorAll("input, select, textarea")]
  .filter(e => e.type !== "hidden" && e.offsetParent && !named(e))
  .map(e => e.outerHTML.slice(0, 160));
"""
#: Whatever may be pressed but has no words and no name.
_SILENT = """
return [...document.querySelectorAll("button, a[href], [role=button]")]
  .filter(e => e.offsetParent && !e.textContent.trim() && !e.getAttribute("aria-label")
    && !e.title && !e.querySelector("img[alt], [title]"))
  .map(e => e.outerHTML.slice(0, 160));
"""
#: Everything that can be pressed or filled in and is seen.
_TARGETS = """
const seen = e => e.offsetParent && e.getBoundingClientRect().width
  && getComputedStyle(e).visibility !== "hidden"
  && !e.closest("[inert], details:not([open]) > :not(summary)") && !e.disabled;
window.targets = [...document.querySelectorAll(
    "a[href], button, input:not([type=hidden]), select, textarea, summary, [x-on\\\\:click]")]
  .filter(e => seen(e) && e.tagName !== "TEMPLATE" && (
    e.matches("a[href], button, input, select, textarea, summary")
    || e.matches("[class*=cursor-pointer], a")
  ));
window.reached = new Set();
return window.targets.length;
"""
_STEP = """
window.reached.add(document.activeElement);
return document.activeElement === document.body;
"""
#: What Tab did not come to. One of several radio buttons stands for all.
_NOT_REACHED = """
const radio = e => e.type === "radio" && [...window.reached].some(r => r.name === e.name);
return window.targets.filter(e => !window.reached.has(e) && !radio(e)
    && !e.querySelector("a[href], button, input, [tabindex]"))
  .map(e => e.outerHTML.slice(0, 160));
"""


@pytest.fixture(scope="module")
def pages(running: Product, admin: Person) -> Iterator[list[str]]:
    """Every main page, over a flow of each contract, one of them amid a rotation."""
    flows = {
        scheme: running.provision(scheme, "--callback-url", "http://127.0.0.1:9/hook")
        for scheme in ("kairos", "citcall", "isu", "whatsapp_flows", "flynn")
    }
    citcall = flows["citcall"]
    name = f"citcall/{citcall['address']}"
    running.manage("key", "generate", name, "api_key")
    client = running.manage(
        *("shell", "--verbosity", "0", "--command"),
        "from tenants.models import *; from flows_endpoint.models import *; "
        f"flow = Flow.objects.get(pk='{citcall['flow']}'); "
        "print(flow.client_id, flow.keys.first().pk, ExchangeRow.objects.first().pk)",
    ).stdout.split()
    admin.open("/admin/")
    yield [
        "/admin/",
        "/admin/tenants/client/",
        "/admin/tenants/client/add/",
        f"/admin/tenants/client/{client[0]}/change/",
        "/admin/tenants/flow/",
        "/admin/tenants/flow/add/",
        "/admin/tenants/flow/add/?scheme=whatsapp_flows",
        *(f"/admin/tenants/flow/{flow['flow']}/change/" for flow in flows.values()),
        "/admin/tenants/key/",
        f"/admin/tenants/key/{client[1]}/change/",
        "/admin/flows_endpoint/exchangerow/",
        f"/admin/flows_endpoint/exchangerow/{client[2]}/change/",
        "/admin/callbacks/delivery/",
        "/admin/tenants/auditentry/",
        "/admin/tenants/auditentry/1/change/",
        "/admin/auth/user/",
        "/admin/auth/user/add/",
        "/admin/auth/user/1/change/",
        "/admin/auth/group/",
        "/admin/confirm/",
    ]


def _each(admin: Person, pages: list[str], script: str) -> dict[str, Any]:
    found = {}
    for page in pages:
        admin.open(page)
        admin.find("body")
        time.sleep(0.2)  # the theme's scripts put things in their places
        wrong = admin.driver.execute_script(script)
        if wrong:
            found[page] = wrong
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_telephone_nothing_sticks_out(admin: Person, pages: list[str], scheme: str) -> None:
    feature = {"name": "prefers-color-scheme", "value": scheme}
    admin.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    # A window is never narrower than 500; a telephone is.
    size = {"width": 400, "height": 850, "deviceScaleFactor": 1, "mobile": True}
    admin.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        assert _each(admin, pages, _TOO_WIDE) == {}
        folder = os.environ.get("SEALGATE_LOOK_AT_ALL")
        for number, page in enumerate(pages if folder else []):
            admin.open(page)
            time.sleep(0.5)
            admin.driver.save_screenshot(f"{folder}/{scheme}-{number:02}.png")
    finally:
        admin.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert admin.complaints() == []


def test_every_field_and_button_has_a_name(admin: Person, pages: list[str]) -> None:
    assert _each(admin, pages, _UNNAMED) == {}
    assert _each(admin, pages, _SILENT) == {}


def test_the_tab_key_reaches_all_that_can_be_pressed(admin: Person, pages: list[str]) -> None:
    from selenium.webdriver import ActionChains, Keys  # noqa: PLC0415

    not_reached = {}
    for page in pages:
        admin.open(page)
        time.sleep(0.2)
        number = admin.driver.execute_script(_TARGETS)
        assert number > 5, page
        ends = 0  # a page may begin with a field in its midst: once round, and to the end
        for _ in range(2 * number + 40):
            ActionChains(admin.driver).send_keys(Keys.TAB).perform()
            ends += admin.driver.execute_script(_STEP)
            if ends == 2:
                break
        left = admin.driver.execute_script(_NOT_REACHED)
        if left:
            not_reached[page] = left
    assert not_reached == {}
