"""A WhatsApp flow in a real browser: upload the key, open the form with a user, see it arrive."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud_api import CloudApi
from tests.support import product
from tests.support.browser import Person, person
from tests.support.product import Product

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def cloud() -> Iterator[CloudApi]:
    with CloudApi() as server:
        yield server


@pytest.fixture(scope="module")
def copy(cloud: CloudApi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A copy whose flows of the sandbox speak to the stand-in."""
    var = tmp_path_factory.mktemp("whatsapp")
    settings = {"SEALGATE_WHATSAPP_SANDBOX_API_URL": cloud.url, "SEALGATE_WEB_PROCESSES": "1"}
    made = product.start(var, settings=settings)
    made.manage("first_admin", "--password-file", str(var / "admin-password"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def somebody(copy: Product) -> Iterator[Person]:
    password = Path(copy.var / "admin-password").read_text().strip()
    with person(copy.url) as made:
        made.open("/admin/")
        made.fill_in("[name=username]", "admin")
        made.fill_in("[name=password]", password)
        made.press("#login-form button")
        assert made.path == "/admin/", made.page
        yield made


def test_the_key_is_uploaded_and_a_form_sent(
    copy: Product, cloud: CloudApi, somebody: Person
) -> None:
    flow = copy.provision(
        "whatsapp_flows",
        *("--option", "meta_flow_id=200000000000002"),
        *("--option", "flow_message=Book your appointment."),
    )
    somebody.open(f"/admin/tenants/flow/{flow['flow']}/change/")
    assert "not known yet" in somebody.page.lower()
    somebody.press("form[action*='/upload/'] button")
    assert "is uploaded." in somebody.page
    assert "the active version" in somebody.page.lower()
    assert list(cloud.keys.values()) == [flow["credentials"]["public_key_pem"]]

    somebody.fill_in("#whatsapp [name=to]", "+1 555 000 1111")
    somebody.press("form[action*='/send/'] button")
    assert "The message to …1111 is queued." in somebody.page
    cloud.wait_for(1, seconds=60)
    deadline = time.monotonic() + 60
    while "Accepted by the platform" not in somebody.page and time.monotonic() < deadline:
        somebody.open(somebody.path)
    assert "Accepted by the platform" in somebody.page
    assert "15550001111" not in somebody.driver.page_source
    somebody.show("#whatsapp")
    somebody.picture("admin-whatsapp")
    somebody.driver.set_window_size(420, 900)
    somebody.show("#whatsapp")
    wide = "return document.documentElement.scrollWidth > window.innerWidth"
    assert somebody.driver.execute_script(wide) is False
    somebody.picture("admin-whatsapp-phone")
    somebody.driver.set_window_size(1280, 900)

    key = copy.manage("key", "generate", f"whatsapp_flows/{flow['address']}", "whatsapp_rsa")
    assert "staged" in key.stdout
    somebody.open("/admin/")
    assert "WhatsApp alerts" in somebody.page
    somebody.picture("admin-whatsapp-overview")
    assert somebody.complaints() == []
