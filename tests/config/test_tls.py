"""Behind a proxy that speaks TLS: what the admin's answers promise to a browser."""

from __future__ import annotations

from collections.abc import Iterator
from http.cookies import SimpleCookie
from urllib.parse import urlencode

import pytest
import urllib3

from tests.support import product
from tests.support.product import Product
from tests.tenants.admin_pages import form_of

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(180)]
PASSWORD = "correct horse battery"
HTTPS = {"X-Forwarded-Proto": "https", "Host": "gateway.example.com"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A copy that is told its public address begins with https, and nothing else about TLS."""
    made = product.start(
        tmp_path_factory.mktemp("tls"),
        processes=("web",),
        settings={
            "SEALGATE_WEB_PROCESSES": "1",
            "SEALGATE_PUBLIC_URL": "https://gateway.example.com",
            "SEALGATE_ALLOWED_HOSTS": "gateway.example.com,127.0.0.1",
        },
    )
    make = (
        "from django.contrib.auth.models import User; "
        f"User.objects.create_superuser('root', password={PASSWORD!r})"
    )
    made.manage("shell", "--command", make)
    yield made
    made.stop()


def get(running: Product, path: str, headers: dict[str, str]) -> urllib3.BaseHTTPResponse:
    return urllib3.request(
        "GET", running.url + path, headers=headers, redirect=False, retries=False
    )


def cookies(answer: urllib3.BaseHTTPResponse) -> SimpleCookie:
    found: SimpleCookie = SimpleCookie()
    for line in answer.headers.getlist("Set-Cookie"):
        found.load(line)
    return found


@pytest.mark.parametrize("path", ["/admin/login/", "/docs"])
def test_every_page_is_for_tls_alone_and_framed_by_nobody(running: Product, path: str) -> None:
    answer = get(running, path, HTTPS)
    assert answer.status == 200
    promised = {name.lower(): value for name, value in answer.headers.items()}
    # Of this name alone: whether its subdomains have TLS, we cannot know.
    assert promised["strict-transport-security"] == "max-age=31536000"
    assert promised["x-content-type-options"] == "nosniff"
    assert promised["x-frame-options"] == "DENY"
    assert promised["cross-origin-opener-policy"] == "same-origin"
    assert promised["referrer-policy"] == "same-origin"
    policy = promised["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'")
    assert "frame-ancestors 'none'" in policy
    assert "'unsafe-inline'" not in policy.partition("style-src")[0]


def test_without_tls_there_is_only_the_way_to_it(running: Product) -> None:
    for headers in ({"Host": "gateway.example.com"}, {**HTTPS, "X-Forwarded-Proto": "http"}):
        answer = get(running, "/admin/login/", headers)
        assert answer.status == 301
        assert answer.headers["Location"] == "https://gateway.example.com/admin/login/"
        assert "Set-Cookie" not in answer.headers
    assert get(running, "/livez", {}).status == 200


def test_cookies_go_over_tls_alone_and_scripts_do_not_see_the_session(running: Product) -> None:
    page = get(running, "/admin/login/", HTTPS)
    token = cookies(page)["csrftoken"]
    assert token["secure"] is True
    assert token["samesite"] == "Lax"
    fields = form_of(page.data.decode(), "username")
    sent = urlencode({**fields, "username": "root", "password": PASSWORD})
    answer = urllib3.request(
        "POST",
        running.url + "/admin/login/",
        body=sent,
        headers={
            **HTTPS,
            "Cookie": f"csrftoken={token.value}",
            "Referer": "https://gateway.example.com/admin/login/",
            "Content-Type": "application/x-www-form-urlencoded",
        },
        redirect=False,
        retries=False,
    )
    assert answer.status == 302
    session = cookies(answer)["sessionid"]
    assert (session["secure"], session["httponly"]) == (True, True)
    assert session["samesite"] == "Lax"
    assert int(session["max-age"]) == 8 * 3600
    # Over TLS everybody owes a second factor: the password alone opens nothing.
    inside = get(running, "/admin/", {**HTTPS, "Cookie": f"sessionid={session.value}"})
    assert inside.status == 302
    assert inside.headers["Location"].startswith("/admin/login/")


def test_a_form_from_elsewhere_is_refused(running: Product) -> None:
    page = get(running, "/admin/login/", HTTPS)
    token = cookies(page)["csrftoken"].value
    fields = form_of(page.data.decode(), "username")
    for origin in ({"Referer": "https://evil.example/"}, {"Origin": "https://evil.example"}, {}):
        answer = urllib3.request(
            "POST",
            running.url + "/admin/login/",
            body=urlencode({**fields, "username": "root", "password": PASSWORD}),
            headers={
                **HTTPS,
                **origin,
                "Cookie": f"csrftoken={token}",
                "Content-Type": "application/x-www-form-urlencoded",
            },
            redirect=False,
            retries=False,
        )
        assert answer.status == 403
        assert "sessionid" not in cookies(answer)
