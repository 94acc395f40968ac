"""Who types the bare address, or follows "View site", finds the API's description."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client


def test_the_bare_address_leads_to_the_description() -> None:
    reply = Client().get("/")
    assert (reply.status_code, reply["Location"]) == (302, "/docs")
    assert Client().get("/docs").status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PROPFIND"])
@pytest.mark.parametrize(
    "path",
    ["/", "/livez", "/readyz", "/handover", "/metrics", "/openapi.json", "/docs", "/docs/kairos"],
)
def test_what_is_to_be_read_takes_nothing(path: str, method: str) -> None:
    browser = Client(enforce_csrf_checks=True)
    answer = browser.generic(method, path, "{}", content_type="application/json")
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")
    assert answer.content == b""


@pytest.mark.django_db
def test_who_is_in_the_admin_gets_a_page_of_it_for_what_is_not_there(
    django_user_model: type[User],
) -> None:
    browser = Client()
    browser.force_login(django_user_model.objects.create_superuser("root"))
    answer = browser.get("/admin/nope/")
    assert answer.status_code == 404
    page = answer.content.decode()
    assert "There is nothing at" in page
    assert "/admin/nope/" in page
    assert 'href="/admin/tenants/flow/"' in page
    assert answer["Content-Security-Policy"]
    assert browser.get("/nope/").json() == {"error": "There is nothing at this address."}
    # Who is not, is asked to log in, and learns of no address.
    assert Client().get("/admin/nope/").status_code == 302


@pytest.mark.django_db
def test_the_admin_says_what_it_administers() -> None:
    page = Client().get("/admin/login/").content.decode()
    assert re.search(r"<title>\s*Log in \| Sealgate\s*</title>", page)
    assert "Django" not in page
