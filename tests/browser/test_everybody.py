"""The admin on a telephone and without a mouse: nothing sticks out, all is labelled and reached."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from crypto_schemes import registry
from tests.support.browser import Person
from tests.support.product import Product

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(600)]

#: A flow of each contract, one of them amid a rotation; prints what the addresses need.
_FLOWS = """
import contextlib, io, json
from django.core.management import call_command
from flows_endpoint.models import ExchangeRow
from tenants.models import Flow
for scheme in ("kairos", "citcall", "isu", "whatsapp_flows", "flynn"):
    with contextlib.redirect_stdout(io.StringIO()):
        call_command("provision", scheme, client=scheme.replace("_", "-"),
                     callback_url="http://127.0.0.1:9/hook")
citcall = Flow.objects.get(scheme="citcall")
with contextlib.redirect_stdout(io.StringIO()):
    call_command("key", "generate", f"citcall/{citcall.address}", "api_key")
flows = [str(key) for key in Flow.objects.order_by("created_at").values_list("pk", flat=True)]
print(json.dumps([flows, *map(str, (
    citcall.client_id, citcall.keys.first().pk, ExchangeRow.objects.first().pk))]))
"""
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
#: Ends once the theme's scripts have put things in their places.
_SETTLED = """
const done = arguments[0];
const look = () => document.querySelector("html[x-cloak]")
  ? requestAnimationFrame(look) : requestAnimationFrame(() => requestAnimationFrame(done));
look();
"""
#: Everything that can be pressed or filled in and is seen; what gets the focus is noted from now.
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
document.addEventListener("focusin", event => window.reached.add(event.target));
return window.targets.length;
"""
#: What Tab did not come to. One of several radio buttons stands for all.
_NOT_REACHED = """
const radio = e => e.type === "radio" && [...window.reached].some(r => r.name === e.name);
return window.targets.filter(e => !window.reached.has(e) && !radio(e)
    && !e.querySelector("a[href], button, input, [tabindex]"))
  .map(e => e.outerHTML.slice(0, 160));
"""
#: Buttons that something else lies over once they were scrolled into the window from above.
_COVERED = """
return [...document.querySelectorAll("#keys button, #keys summary, #handovers button")]
  .filter(e => e.offsetParent && !e.closest("details:not([open]) > :not(summary)"))
  .filter(e => {
    e.scrollIntoView({block: "end"});
    const box = e.getBoundingClientRect();
    const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    return !e.contains(top);
  })
  .map(e => e.outerHTML.slice(0, 160));
"""


@pytest.fixture(scope="module")
def pages(running: Product, admin: Person) -> Iterator[list[str]]:
    """Every main page, over a flow of each contract, one of them amid a rotation."""
    told = running.manage("shell", "--verbosity", "0", "--command", _FLOWS).stdout
    flows, client, key, exchange = json.loads(told)
    admin.open("/admin/")
    yield [
        "/admin/",
        "/admin/tenants/client/",
        "/admin/tenants/client/add/",
        f"/admin/tenants/client/{client}/change/",
        "/admin/tenants/flow/",
        "/admin/tenants/flow/add/",
        "/admin/tenants/flow/add/?scheme=whatsapp_flows",
        *(f"/admin/tenants/flow/{flow}/change/" for flow in flows),
        "/admin/tenants/key/",
        f"/admin/tenants/key/{key}/change/",
        "/admin/flows_endpoint/exchangerow/",
        f"/admin/flows_endpoint/exchangerow/{exchange}/change/",
        "/admin/callbacks/delivery/",
        "/admin/tenants/auditentry/",
        "/admin/tenants/auditentry/1/change/",
        "/admin/auth/user/",
        "/admin/auth/user/add/",
        "/admin/auth/user/1/change/",
        "/admin/auth/group/",
        "/admin/confirm/",
    ]


def _open(admin: Person, page: str) -> None:
    admin.open(page)
    admin.driver.execute_async_script(_SETTLED)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_telephone_nothing_sticks_out(admin: Person, pages: list[str], scheme: str) -> None:
    feature = {"name": "prefers-color-scheme", "value": scheme}
    admin.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    # A window is never narrower than 500; a telephone is.
    size = {"width": 400, "height": 850, "deviceScaleFactor": 1, "mobile": True}
    admin.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        too_wide = {}
        documents = ["/docs", *(f"/docs/{name}" for name in registry.NAMES)]
        for page in [*pages, *documents]:
            _open(admin, page)
            if wide := admin.driver.execute_script(_TOO_WIDE):
                too_wide[page] = wide
        assert too_wide == {}
        folder = os.environ.get("SEALGATE_LOOK_AT_ALL")
        for number, page in enumerate(pages if folder else []):
            admin.open(page)
            time.sleep(0.5)
            admin.driver.save_screenshot(f"{folder}/{scheme}-{number:02}.png")
    finally:
        admin.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert admin.complaints() == []


@dataclass
class Faults:
    """What is wrong on a page for those who hear it, and for those who have no mouse."""

    unnamed: list[str]
    silent: list[str]
    not_reached: list[str]


@pytest.fixture(scope="module")
def faults(admin: Person, pages: list[str]) -> dict[str, Faults]:
    """What is wrong on each page, which is opened once for all of it."""
    found = {}
    for page in pages:
        _open(admin, page)
        unnamed, silent = map(admin.driver.execute_script, (_UNNAMED, _SILENT))
        found[page] = Faults(unnamed, silent, _not_reached(admin, page))
    return found


def _not_reached(admin: Person, page: str) -> list[str]:
    from selenium.webdriver import ActionChains, Keys  # noqa: PLC0415

    number = admin.driver.execute_script(_TARGETS)
    assert number > 5, page
    # A page may begin with a field in its midst: once round, and to the end.
    for presses in (number + 20, number + 20):
        ActionChains(admin.driver).send_keys(Keys.TAB * presses).perform()
        left: list[str] = admin.driver.execute_script(_NOT_REACHED)
        if not left:
            break
    return left


def test_every_field_and_button_has_a_name(faults: dict[str, Faults]) -> None:
    assert {page: found.unnamed for page, found in faults.items() if found.unnamed} == {}
    assert {page: found.silent for page, found in faults.items() if found.silent} == {}


def test_the_tab_key_reaches_all_that_can_be_pressed(faults: dict[str, Faults]) -> None:
    assert {page: found.not_reached for page, found in faults.items() if found.not_reached} == {}


def test_the_bar_that_saves_lies_over_no_button(admin: Person, pages: list[str]) -> None:
    covered = {}
    flows = [page for page in pages if re.search("/flow/.*/change/", page)]
    for page in flows:
        _open(admin, page)
        if found := admin.driver.execute_script(_COVERED):
            covered[page] = found
    assert len(flows) == 5
    assert covered == {}
