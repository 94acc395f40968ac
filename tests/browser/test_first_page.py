"""The first page after a day of traffic: figures, and a chart of each contract that is in use."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import urllib3

from tests.product.traffic import send_some
from tests.support.browser import Person
from tests.support.partner import Partner
from tests.support.product import Product

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(300)]

_CONTRACTS = ("kairos", "citcall", "isu", "whatsapp_flows", "flynn")
#: Run in the page: what its charts show, as the library that draws them has it.
_SHOWN = """
return [...document.querySelectorAll("canvas.chart")].map(canvas => {
  const data = JSON.parse(canvas.dataset.value);
  return [canvas.offsetHeight > 100, data.labels, data.datasets.map(d => [d.label, d.data])];
});
"""


def _serve(flows: dict[str, dict[str, Any]], url: str) -> None:
    """Have each contract serve some requests, and refuse some."""
    send_some(flows, url)
    citcall, whatsapp = Partner(flows["citcall"], url), Partner(flows["whatsapp_flows"], url)
    for number in range(14):
        ordered = citcall.call({"msisdn": f"08129876{number:04}", "gateway": 1})
        assert ordered["rc"] == "00"
    for number in range(19):
        token = f"form-{number}"
        begun = {"version": "3.0", "action": "INIT", "screen": "", "data": {}, "flow_token": token}
        assert whatsapp.call(begun)["screen"]
    bundle = flows["flynn"]["credentials"]
    body = {
        "handle": bundle["handle"],
        "handleType": "email",
        "password": bundle["password"],
        "tokenDurationInMins": 360,
    }
    for _ in range(9):
        answer = urllib3.request(
            "POST",
            f"{url}/theodore/apis/v1/authtokens",
            body=json.dumps(body),
            headers={"Content-Type": "application/json"},
        )
        assert answer.status == 200


@pytest.fixture(scope="module")
def traffic(running: Product) -> None:
    """A day's traffic, or what stands for it, before anybody looks."""
    flows = {scheme: running.provision(scheme) for scheme in _CONTRACTS}
    _serve(flows, running.url)
    time.sleep(1)  # the exchange log is written in batches


@pytest.mark.usefixtures("traffic")
def test_a_day_of_all_contracts(admin: Person) -> None:
    names = ["Kairos", "CitCall", "ISU", "WhatsApp Flows", "Flynn"]
    # The page may show figures that are a minute old.
    deadline = time.monotonic() + 75
    while True:
        admin.open("/admin/")
        (requests, share) = admin.driver.execute_script(_SHOWN)
        assert requests[:2] == share[:2] == [True, names]
        figures = {label: dict(zip(names, data, strict=True)) for label, data in requests[2]}
        if figures["Served"]["Flynn"] or time.monotonic() > deadline:
            break
        time.sleep(2)
    assert figures["Served"]["CitCall"] == 15
    assert figures["Served"]["WhatsApp Flows"] == 21
    assert figures["Refused"]["Kairos"] == 1
    assert set(figures["Failed"].values()) == {0}
    assert admin.complaints() == []


def test_without_the_first_password_on_the_disk_nothing_warns(
    running: Product, admin: Person
) -> None:
    first = running.var / "admin-password"
    admin.open("/admin/")
    assert "The first administrator's password still stands in" in admin.page
    kept = first.rename(first.with_name("kept-password"))
    size = {"width": 1280, "height": 960, "deviceScaleFactor": 1, "mobile": False}
    admin.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        admin.open("/admin/")
        assert "password still stands in" not in admin.page
        admin.picture("admin-overview")
    finally:
        admin.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        kept.rename(first)
