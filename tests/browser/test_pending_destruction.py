"""Erasing material is scheduled, seen on the page, and cancelled in time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.browser.key_pages import table_of, used_flow, verb_of
from tests.support.browser import Person
from tests.support.product import Product

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(300)]


def test_a_destruction_is_scheduled_and_cancelled(admin: Person, running: Product) -> None:
    _, page = used_flow(running)
    admin.open(page)
    revoke = verb_of(1, "revoke")
    admin.fill_in(f"{revoke} [name=reason]", "leaked")
    admin.fill_in(f"{revoke} [name=confirmed_use]", "api_key v1")
    admin.press(f"{revoke} button")
    schedule = verb_of(1, "schedule_destruction")
    admin.fill_in(f"{schedule} [name=days]", "7")
    admin.fill_in(f"{schedule} [name=reason]", "the partner is gone")
    admin.press(f"{schedule} button")
    day = f"{datetime.now(UTC) + timedelta(days=7):%Y-%m-%d}"
    assert f"will be erased on {day}" in admin.page
    (state,) = table_of(admin)
    assert f"Material is erased on {day}" in state
    told = admin.find("#timeline-api_key-description").get_attribute("innerHTML") or ""
    assert "Version 1: revoked" in told
    assert "to be erased" in told
    admin.find(".sg-t-destruction")
    admin.press(f"{verb_of(1, 'cancel_destruction')} button")
    assert "The material of API key version 1 is kept." in admin.page
    assert table_of(admin) == ["Revoked: leaked"]
    admin.find(verb_of(1, "schedule_destruction"))
    assert admin.complaints() == []
