"""Who types the bare address, or follows "View site", finds the API's description."""

from __future__ import annotations

import re

import pytest
from django.test import Client


def test_the_bare_address_leads_to_the_description() -> None:
    reply = Client().get("/")
    assert (reply.status_code, reply["Location"]) == (302, "/docs")
    assert Client().get("/docs").status_code == 200


def test_nothing_is_taken_at_the_bare_address() -> None:
    assert Client().post("/", "{}", content_type="application/json").status_code == 405


@pytest.mark.django_db
def test_the_admin_says_what_it_administers() -> None:
    page = Client().get("/admin/login/").content.decode()
    assert re.search(r"<title>\s*Log in \| Sealgate\s*</title>", page)
    assert "Django" not in page
