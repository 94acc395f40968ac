"""The versions of a secret as a line of time: on a desk, in the dark, on a phone."""

from __future__ import annotations

import pytest

from tests.support.browser import Person
from tests.support.product import Product

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(300)]
PAST = "from tests.support import key_past; key_past.write()"


@pytest.fixture(scope="module", autouse=True)
def _page(admin: Person, running: Product) -> None:
    running.manage("shell", "-c", PAST)


def look(admin: Person, name: str, *, width: int, scheme: str) -> None:
    feature = {"name": "prefers-color-scheme", "value": scheme}
    admin.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    admin.driver.set_window_size(width, 1000)
    admin.open("/admin/tenants/flow/")
    admin.press("#result_list tbody a")
    admin.show("#keys")
    wide, seen = admin.driver.execute_script(
        "return [document.documentElement.scrollWidth, window.innerWidth]"
    )
    assert wide <= seen
    boxes = admin.driver.execute_script(
        "const line = document.querySelector('.sg-timeline').getBoundingClientRect();"
        "return [...document.querySelectorAll('#keys .sg-panel:first-of-type .sg-timeline rect')]"
        ".map(r => r.getBoundingClientRect())"
        ".filter(r => r.left < line.left - 1 || r.right > line.right + 1).length"
    )
    assert boxes == 0
    assert admin.driver.execute_script(
        "return getComputedStyle(document.querySelector('rect.sg-t-active')).fill"
    ) not in {"rgb(0, 0, 0)", "none"}
    admin.picture(name)
    assert admin.complaints() == []


def test_on_a_desk(admin: Person) -> None:
    look(admin, "admin-timeline", width=1280, scheme="light")
    notes = [text.text for text in admin.driver.find_elements("css selector", ".sg-timeline text")]
    assert any(note.startswith("Version 4 active since") for note in notes)
    assert "now" in notes
    assert "Version 4 expires in 23 days" in admin.page


def test_in_the_dark_on_a_phone(admin: Person) -> None:
    look(admin, "admin-timeline-phone", width=400, scheme="dark")
    admin.find("html.dark")
    labels = admin.driver.find_elements("css selector", ".sg-t-minor text")
    assert labels
    assert not any(label.is_displayed() for label in labels)
