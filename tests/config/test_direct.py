"""The contracts' addresses end before what only people need; people keep all of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import Client as HttpClient
from django.urls import URLPattern, URLResolver, get_resolver, resolve
from django.urls.resolvers import RoutePattern

from flows_endpoint.direct import Addresses
from flows_endpoint.views import ProtocolView

pytestmark = pytest.mark.django_db

#: What is in force for everybody, machines too.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
VARIABLE = [
    "/whatsapp/flows/acme-1",
    "/whatsapp/webhook/acme-1",
    "/basic/einv/v3.0/ni2/eicore/v1.03/Invoice",
    "/basic/einv/v3.0/ni1/eicore/v1.03/Invoice/irn/abc",
    "/basic/eway/v3.0/ew2/v1.03/ewayapi/cancel",
    "/basic/nothing/here",
    "/some/path/of/a/flow",
]
NOBODYS = ["/", "/admin/", "/admin/tenants/flow/", "/livez", "/readyz", "/docs", "/openapi.json"]


def addresses() -> Addresses:
    return Addresses(get_resolver().url_patterns)


def fixed(patterns: Iterable[URLPattern | URLResolver]) -> list[str]:
    found: list[str] = []
    for pattern in patterns:
        if isinstance(pattern, URLResolver) and str(pattern.pattern) == "":
            found += fixed(pattern.url_patterns)
        elif isinstance(pattern, URLPattern) and isinstance(pattern.pattern, RoutePattern):
            kind = getattr(pattern.callback, "view_class", object)
            if issubclass(kind, ProtocolView) and "<" not in str(pattern.pattern):
                found.append(f"/{pattern.pattern}")
    return found


def test_each_address_of_a_contract_leads_where_django_would_lead() -> None:
    known = fixed(get_resolver().url_patterns)
    assert len(known) > 30
    for path in (*known, *VARIABLE):
        found, match = addresses().find(path), resolve(path)
        assert found is not None, path
        assert (found.view, dict(found.captured)) == (match.func, match.kwargs), path


@pytest.mark.parametrize("path", NOBODYS)
def test_what_is_no_contract_s_goes_on(path: str) -> None:
    assert addresses().find(path) is None


def test_a_machine_gets_the_headers_of_everybody_and_no_cookie(client: HttpClient) -> None:
    reply = client.post("/v2/asynccall", b"{}", content_type="application/json")
    assert {name: reply[name] for name in HEADERS} == HEADERS
    assert reply["Content-Length"] == str(len(reply.content))
    assert len(reply["X-Request-Id"]) == 32
    assert not reply.cookies
    assert "Vary" not in reply


def test_nothing_of_the_admin_s_runs_for_a_machine(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def called(*_: Any) -> None:
        raise AssertionError("a session was looked for")

    monkeypatch.setattr(
        "django.contrib.sessions.middleware.SessionMiddleware.process_request", called
    )
    assert client.post("/v2/asynccall").status_code == 200
    with pytest.raises(AssertionError, match="a session"):
        client.get("/admin/login/")


def test_any_host_is_still_not_welcome(client: HttpClient) -> None:
    for path in ("/v2/asynccall", "/whatsapp/flows/acme-1", "/admin/login/"):
        assert client.post(path, headers={"Host": "elsewhere.example"}).status_code == 400


def test_tls_is_asked_of_machines_too(settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 60
    client = HttpClient()
    assert client.post("/v2/asynccall").status_code == 301
    reply = client.post("/v2/asynccall", secure=True)
    assert reply.status_code == 200
    assert reply["Strict-Transport-Security"].startswith("max-age=60")


def test_an_address_of_nobody_is_answered_by_the_product(client: HttpClient) -> None:
    reply = client.post("/some/path/of/a/flow")
    assert (reply.status_code, reply.json()) == (
        404,
        {"error": "There is nothing at this address."},
    )
    assert client.post("/some/path/of/a/flow", headers={"pass_key": "x"}).status_code == 401


def test_the_admin_keeps_all_of_its_protections() -> None:
    names = [name.rpartition(".")[2] for name in django_settings.MIDDLEWARE]
    behind = names[names.index("ProtocolMiddleware") :]
    for name in (
        "ContentSecurityMiddleware",
        "SessionMiddleware",
        "CommonMiddleware",
        "CsrfViewMiddleware",
        "AuthenticationMiddleware",
        "OTPMiddleware",
        "MessageMiddleware",
        "AxesMiddleware",
    ):
        assert name in behind
    assert {"SecurityMiddleware", "XFrameOptionsMiddleware"} <= set(names) - set(behind)


def test_a_form_without_its_token_is_refused() -> None:
    User.objects.create_superuser("root", password="correct horse")
    client = HttpClient(enforce_csrf_checks=True)
    reply = client.post("/admin/login/", {"username": "root", "password": "correct horse"})
    assert reply.status_code == 403
    page = client.get("/admin/login/")
    assert page["X-Frame-Options"] == "DENY"
    assert "script-src 'self'" in page["Content-Security-Policy"]
    assert "csrftoken" in page.cookies


def test_a_view_that_fails_is_answered_like_any_other(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> HttpResponse:
        raise RuntimeError

    client.raise_request_exception = False
    monkeypatch.setattr("flows_endpoint.views.serve", broken)
    reply = client.post("/v2/asynccall")
    assert reply.status_code == 500
    assert reply.json()["error"] == "Internal failure."


def test_the_request_s_own_path_decides(rf: Any) -> None:
    request: HttpRequest = rf.get("/v2/asynccall")
    found = addresses().find(request.path_info)
    assert found is not None
    assert found.captured == {}
