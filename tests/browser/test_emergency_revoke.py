"""A key leaked: one page, one press, and within a second nobody gets in with it."""

from __future__ import annotations

import time

import pytest

from tests.browser.key_pages import refusal, table_of, used_flow, verb_of
from tests.support.browser import Person
from tests.support.product import Product

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(300)]
UNKNOWN = b'{"rc":"96","info":"Apikey not found or non active"}'


def test_a_leaked_key_is_revoked(admin: Person, running: Product) -> None:
    partner, page = used_flow(running)
    admin.open(page)
    revoke = verb_of(1, "revoke")
    admin.fill_in(f"{revoke} [name=reason]", "seen in a public repository")
    assert "In use: last " in admin.find(revoke).text
    admin.fill_in(f"{revoke} [name=confirmed_use]", "api_key v1")
    assert refusal(partner)[0] == 200
    assert refusal(partner)[1] != UNKNOWN
    admin.press(f"{revoke} button")
    revoked = time.monotonic()
    while (seen := refusal(partner)) != (200, UNKNOWN):
        assert time.monotonic() - revoked < 1, seen
        time.sleep(0.02)
    assert time.monotonic() - revoked < 1
    # Every web process knows, not only the one that answered.
    time.sleep(max(0.0, revoked + 1 - time.monotonic()))
    assert [refusal(partner) for _ in range(20)] == [(200, UNKNOWN)] * 20
    assert "Within a second it opens nothing anywhere." in admin.page
    assert table_of(admin) == ["Revoked: seen in a public repository"]
    assert admin.complaints() == []
