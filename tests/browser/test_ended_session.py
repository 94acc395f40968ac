"""A session that ended while a page was open."""

from __future__ import annotations

import json

import pytest

from tests.support.browser import Person
from tests.support.product import Product

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(300)]


def test_a_session_that_ended_leads_to_the_log_in_and_does_nothing(
    admin: Person, running: Product
) -> None:
    running.provision("citcall")
    admin.open("/admin/tenants/flow/")
    admin.press("#result_list tbody a")
    admin.driver.delete_cookie("sessionid")
    admin.press("#keys form[action$='/generate/'] button")
    assert admin.path.startswith("/admin/login/")
    assert "shown once" not in admin.page
    listed = json.loads(running.manage("key", "list", "--purpose", "api_key", "--json").stdout)
    assert [row["version"] for row in listed["keys"]] == [1]
