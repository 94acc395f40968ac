"""From the log-in to a partner's first successful call, by a hand-over link."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
import urllib3

from tests.support.browser import Person, person
from tests.support.partner import Partner
from tests.support.product import Product

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(300)]

MOST_PRESSES = 25
MOST_SECONDS = 180


@pytest.fixture(scope="module")
def began() -> float:
    return time.monotonic()


def test_a_new_administrators_three_minutes(running: Product, began: float, admin: Person) -> None:
    admin.click("#nav-sidebar a[href='/admin/tenants/client/']")
