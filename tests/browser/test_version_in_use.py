"""Retiring an old version that somebody still uses takes typing which one it is, and a reason."""

from __future__ import annotations

import pytest

from tests.browser.key_pages import CALL, table_of, used_flow, verb_of
from tests.support.browser import Person
from tests.support.product import Product

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(300)]


def test_an_old_version_in_use_is_retired_knowingly(admin: Person, running: Product) -> None:
    partner, page = used_flow(running)
    admin.open(page)
    admin.press("#keys form[action$='/generate/'] button")
    admin.open(page)
    admin.press(f"{verb_of(2, 'promote')} button")
    retiring = "Retiring: still opens, until its time, until "
    assert [state.startswith(retiring) for state in table_of(admin)] == [False, True]
    retire = verb_of(1, "retire")
    admin.fill_in(f"{retire} [name=reason]", "they said they have moved")
    admin.press(f"{retire} button")
    assert "Who still uses API key version 1 of" in admin.page
    assert "Nothing was changed yet." in admin.page
    assert admin.find(".sg-figures tr:nth-child(2) td").text == "1"
    admin.picture("admin-in-use")
    admin.fill_in("#confirmed_use", "api_key v2")
    admin.press("form[action$='/do/retire/'] button")
    assert "That is not what stands there." in admin.page
    assert partner.call({**CALL, "msisdn": "081200000002"})["rc"] == "00"
    assert admin.find("#reason").get_attribute("value") == "they said they have moved"
    admin.fill_in("#confirmed_use", "api_key v1")
    admin.press("form[action$='/do/retire/'] button")
    assert "API key version 1 is retired." in admin.page
    assert table_of(admin) == ["Active: opens and seals", "Retired: they said they have moved"]
    assert admin.complaints() == []
