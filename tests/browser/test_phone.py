"""The first page on a telephone, in the dark."""

from __future__ import annotations

import time

import pytest

from tests.support.browser import Person

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(300)]


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
