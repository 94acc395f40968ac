"""Meta's app secret is reset: the new one is staged, promoted, and the old one let go."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from typing import Any

import pytest
import urllib3

from tests.support.browser import Person
from tests.support.product import Product

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(300)]
NEW = "5f1c7a0be4d94c0a9d0e6b7a31c2f485"
OTHER = "00112233445566778899aabbccddeeff"


def test_no_update_is_refused_from_the_reset_to_the_end(admin: Person, running: Product) -> None:
    flow = running.provision("whatsapp_flows")
    old = flow["credentials"]["app_secret"]
    panel = ".sg-panel:has(input[name=purpose][value=app_secret])"

    def accepted() -> list[bool]:
        """Return whether updates signed with the old, the new and a foreign secret are taken."""
        time.sleep(1)  # by then every process has seen the change
        return [_update(running, flow, secret) == 200 for secret in (old, NEW, OTHER)]

    assert accepted() == [True, False, False]
    page = f"/admin/tenants/flow/{flow['flow']}/change/"
    admin.open(page)
    admin.fill_in(f"{panel} form[action$='/import/'] [name=text]", NEW)
    admin.press(f"{panel} form[action$='/import/'] button")
    assert "App secret version 2 is imported and staged." in admin.page
    assert NEW not in admin.driver.page_source
    assert accepted() == [True, True, False]
    admin.press(f"{panel} tbody[data-version='2'] form[action$='/do/promote/'] button")
    assert "App secret version 2 is active." in admin.page
    assert accepted() == [True, True, False]
    retire = f"{panel} tbody[data-version='1'] form[action$='/do/retire/']"
    admin.open(page)  # what was used meanwhile shows
    admin.fill_in(f"{retire} [name=reason]", "Meta has let the old one go")
    admin.press(f"{retire} button")
    admin.fill_in("#confirmed_use", "app_secret v1")
    admin.press("form[action$='/do/retire/'] button")
    assert "App secret version 1 is retired." in admin.page
    assert accepted() == [False, True, False]
    assert admin.complaints() == []


def _update(running: Product, flow: dict[str, Any], secret: str) -> int:
    body = json.dumps({"entry": [], "sent": time.time()}).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    answer = urllib3.request(
        "POST",
        f"{running.url}/whatsapp/webhook/{flow['address']}",
        body=body,
        headers={
            "Content-Type": "application/json",
            "X-Hub-Signature-256": f"sha256={signature}",
        },
        retries=False,
    )
    return answer.status
