"""What reaches the product of what a caller sends: two names with underscores, and no others."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from config import gunicorn
from tests.support.echo_server import echo_server

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A web server with the product's configuration before an application that echoes."""
    with echo_server(threads=8) as running:
        yield running.port


def seen(port: int, *headers: str, path: str = "/asked") -> dict[str, str]:
    """Return what the application was told of a request with these header lines."""
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers, "", ""]
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall("\r\n".join(lines).encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    environ: dict[str, str] = json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])
    return environ


def test_the_contract_s_two_names_pass(port: int) -> None:
    environ = seen(port, "pass_key: abc", "Header_Secrets: def")
    assert environ["HTTP_PASS_KEY"] == "abc"
    assert environ["HTTP_HEADER_SECRETS"] == "def"


def test_twins_are_joined_with_a_comma(port: int) -> None:
    assert seen(port, "pass_key: abc", "pass-key: xyz")["HTTP_PASS_KEY"] == "abc,xyz"
    assert seen(port, "pass-key: xyz", "pass_key: abc")["HTTP_PASS_KEY"] == "xyz,abc"


def test_nobody_adds_to_what_a_proxy_says_of_the_caller(port: int) -> None:
    written = "X-Forwarded-For: 198.51.100.1"
    for smuggled in ("X_Forwarded_For", "X-Forwarded_For", "x_forwarded-for"):
        environ = seen(port, written, f"{smuggled}: 203.0.113.7")
        assert environ["HTTP_X_FORWARDED_FOR"] == "198.51.100.1"


def test_nobody_adds_to_what_a_proxy_says_of_tls(port: int) -> None:
    environ = seen(port, "X_Forwarded_Proto: https", "X-Forwarded-Ssl: on")
    assert "HTTP_X_FORWARDED_PROTO" not in environ
    assert environ["wsgi.url_scheme"] == "http"
    assert seen(port, "X-Forwarded-Proto: https")["wsgi.url_scheme"] == "http"


def test_nobody_chooses_where_the_path_begins(port: int) -> None:
    for smuggled in ("SCRIPT_NAME: /asked", "Path_Info: /admin/", "SCRIPT_NAME: /nowhere"):
        environ = seen(port, smuggled, path="/asked/admin/")
        assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("", "/asked/admin/")


@pytest.mark.parametrize("path", ["/read", "/unread"])
@pytest.mark.parametrize(
    ("framing", "stays"),
    [
        ("", True),
        ("Content-Length: 32768", True),
        ("Content-Length: 32769", False),
        ("Transfer-Encoding: chunked", False),
    ],
)
def test_a_connection_that_is_said_to_stay_stays(
    port: int, path: str, framing: str, stays: bool
) -> None:
    body = b"x" * int(framing.rpartition(" ")[2]) if framing.startswith("C") else b""
    if framing.startswith("T"):
        body = b"11170\r\n" + b"x" * 70_000 + b"\r\n0\r\n\r\n"
    for _ in range(3):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        name, _, value = framing.partition(": ")
        connection.putrequest("POST", path)
        if name:
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        answer.read()
        assert answer.getheader("Connection") == ("keep-alive" if stays else "close")
        if stays:
            connection.request("GET", "/read")
            assert connection.getresponse().status == 200
        connection.close()


def test_connections_do_not_wait_for_ever() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        gunicorn.post_fork(None, SimpleNamespace(sockets=[listener]))
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
            with accepted:
                for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                    assert accepted.getsockopt(socket.SOL_SOCKET, option) == gunicorn.PATIENCE
