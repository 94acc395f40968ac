"""Web processes answer the contracts' addresses past Django's handler, and exactly as it does."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from django.core import signals
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections
from django.http import HttpRequest, HttpResponse

from config.wsgi import application
from flows_endpoint.direct import ProtocolHandler

pytestmark = pytest.mark.django_db

#: Method, path, headers and body.
Sent = tuple[str, str, dict[str, str], bytes]
REQUESTS: list[Sent] = [
    ("POST", "/v2/asynccall", {}, b"{}"),
    ("POST", "/v2/asynccall", {"HTTP_AUTHORIZATION": "x" * 5000}, b"\xff"),
    ("GET", "/v2/asynccall", {}, b""),
    ("HEAD", "/v2/asynccall", {}, b""),
    ("OPTIONS", "/whatsapp/flows/acme-1", {}, b""),
    ("POST", "/whatsapp/flows/acme-1", {}, b"{}"),
    ("GET", "/whatsapp/webhook/acme-1?hub.mode=subscribe&hub.challenge=1", {}, b""),
    ("POST", "/whatsapp/flows/acme-1", {"HTTP_HOST": "elsewhere.example"}, b"{}"),
    ("POST", "/whatsapp/flows/ac\xc3\xa9me", {}, b"{}"),
    ("POST", "/whatsapp/flows/\xff", {}, b"{}"),
    ("GET", "/authenticate-with-secrets", {}, b""),
    ("POST", "/some/path/of/a/flow", {"HTTP_PASS_KEY": "x"}, b"{}"),
    ("POST", "/some/path/of/a/flow", {}, b"{}"),
    ("GET", "/livez", {}, b""),
    ("GET", "/admin/login/", {}, b""),
    ("GET", "/nothing/is/here", {}, b""),
    ("GET", "", {}, b""),
    ("GET", "/\xe6\x97\xa5\xe6\x9c\xac", {}, b""),
    ("GET", "/static/\xff\xfe", {}, b""),
    ("GET", "/admin/tenants/flow/\xc3\xa9/change/", {}, b""),
    ("GET", "/admin/", {"SCRIPT_NAME": "/gate\xc3\xa9"}, b""),
    ("POST", "/v2/asynccall", {"SCRIPT_NAME": "/gate"}, b"{}"),
]


def environ(method: str, path: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    path, _, query = path.partition("?")
    return {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": "testserver",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "testserver",
        "HTTP_X_REQUEST_ID": "the-same-request",
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http",
        "wsgi.errors": io.StringIO(),
        **headers,
    }


class Reply:
    """What a WSGI application answered."""

    status: str
    headers: list[tuple[str, str]]

    def __init__(self, handler: Any, sent: Sent) -> None:
        def start_response(status: str, headers: list[tuple[str, str]]) -> None:
            self.status, self.headers = status, headers

        answer = handler(environ(*sent), start_response)
        self.body = b"".join(answer)
        getattr(answer, "close", lambda: None)()

    @property
    def code(self) -> int:
        return int(self.status.split()[0])

    def __getitem__(self, name: str) -> str:
        (value,) = [value for given, value in self.headers if given.lower() == name.lower()]
        return value


@pytest.fixture(scope="module")
def handler() -> ProtocolHandler:
    return ProtocolHandler()


@pytest.fixture
def said() -> Iterator[list[str]]:
    """Return the signals of Django's handler, as they come."""
    heard: list[str] = []

    def begins(**_: Any) -> None:
        heard.append("begins")

    def ends(**_: Any) -> None:
        heard.append("ends")

    signals.request_started.connect(begins)
    signals.request_finished.connect(ends)
    yield heard
    signals.request_started.disconnect(begins)
    signals.request_finished.disconnect(ends)


def test_it_is_what_the_web_processes_serve() -> None:
    assert type(application) is ProtocolHandler


@pytest.mark.parametrize("sent", REQUESTS, ids=lambda sent: f"{sent[0]} {sent[1]}")
def test_each_answer_is_the_one_of_django_s_handler(handler: ProtocolHandler, sent: Sent) -> None:
    ours, theirs = Reply(handler, sent), Reply(WSGIHandler(), sent)
    assert ours.status == theirs.status
    # But for tokens and times: each time anew.
    of_both = [
        {name: value for name, value in reply.headers if name not in ("Set-Cookie", "Expires")}
        for reply in (ours, theirs)
    ]
    assert of_both[0] == of_both[1]
    if sent[1] != "/admin/login/":  # its form has a token of its own each time
        assert ours.body == theirs.body


def test_a_contract_s_address_is_served_without_signals_and_a_page_with_them(
    handler: ProtocolHandler, said: list[str]
) -> None:
    assert Reply(handler, ("POST", "/v2/asynccall", {}, b"{}")).code == 200
    assert said == []
    assert Reply(handler, ("GET", "/livez", {}, b"")).code == 200
    assert said == ["begins", "ends"]


def test_tls_is_asked_of_a_machine(settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    reply = Reply(ProtocolHandler(), ("POST", "/v2/asynccall", {}, b"{}"))
    assert (reply.code, reply["Location"]) == (301, "https://testserver/v2/asynccall")


def test_a_view_that_fails_is_answered_by_the_product(
    handler: ProtocolHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> HttpResponse:
        raise RuntimeError

    monkeypatch.setattr("flows_endpoint.views.serve", broken)
    reply = Reply(handler, ("POST", "/v2/asynccall", {}, b"{}"))
    assert reply.code == 500
    assert reply["X-Request-Id"] == "the-same-request"
    assert b"Internal failure." in reply.body


def test_the_connection_is_looked_at_before_and_after(
    handler: ProtocolHandler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old one is replaced before it is used, a broken one is not left for the next request."""
    order: list[str] = []

    def served(_: HttpRequest) -> HttpResponse:
        order.append("served")
        raise RuntimeError

    database = connections["default"]
    monkeypatch.setattr(
        database, "close_if_unusable_or_obsolete", lambda: order.append("looked at")
    )
    monkeypatch.setattr(handler, "_serve", served)
    with pytest.raises(RuntimeError):
        Reply(handler, ("POST", "/v2/asynccall", {}, b"{}"))
    assert order == ["looked at", "served", "looked at"]


class _Unread(io.BytesIO):
    """A body that nobody may read."""

    def read(self, *_: Any) -> bytes:
        raise AssertionError("the body was read")


@pytest.mark.parametrize("path", ["/admin/login/", "/nothing/is/here"])
@pytest.mark.parametrize("zeros", ["", "0" * 20])
def test_what_is_larger_than_any_page_takes_is_refused_unread(path: str, zeros: str) -> None:
    sent = environ("POST", path, {"CONTENT_TYPE": "multipart/form-data; boundary=x"}, b"")
    sent |= {"CONTENT_LENGTH": f"{zeros}{11 * 1024 * 1024}", "wsgi.input": _Unread()}
    said: list[Any] = []
    answer = application(sent, lambda *status_and_headers: said.extend(status_and_headers))
    assert (b"".join(answer), said) == (b"", ["413 Content Too Large", [("Content-Length", "0")]])
