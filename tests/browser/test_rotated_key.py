"""An administrator's first hour: from a new client to a rotated and a revoked key."""

from __future__ import annotations

import pytest

from tests.support.browser import Person

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(300)]


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
    admin.press("form[action$='/do/promote/']:not(:has([name=override])) button")
    assert "is active." in admin.page
    assert "Retiring: still opens, until its time" in admin.page
    admin.show("#keys")
    admin.picture("admin-keys")
    admin.fill_in("form[action$='/do/revoke/'] [name=reason]", "seen in a public repository")
    admin.press("form[action$='/do/revoke/'] button")
    assert "Within a second it opens nothing anywhere." in admin.page
    admin.open("/admin/")
    assert "Requests, 24 hours" in admin.page
    assert admin.complaints() == []
