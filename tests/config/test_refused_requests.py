"""What is no request is answered at once and in few words; nothing of it is quoted anywhere."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import pytest
from gunicorn.http import errors

from config import refusals
from tests.support.echo_server import EchoServer, echo_server

pytestmark = pytest.mark.once

_LINE = b"GET /asked HTTP/1.1\r\nHost: localhost\r\n"
_SECRET = b"c2VjcmV0LWtleQ"
_WRONG = {
    "a header cut in two": (400, _LINE + b"Authorization: ZGVtby\r\n" + _SECRET + b"\r\n\r\n"),
    "no colon": (400, _LINE + b"pass_key " + _SECRET + b"\r\n\r\n"),
    "a header's name": (400, _LINE + b"pass key" + _SECRET + b": x\r\n\r\n"),
    "a header's value": (400, _LINE + b"X: \x00" + _SECRET + b"\r\n\r\n"),
    "the address": (400, b"GET /?token=" + _SECRET + b"\x01 HTTP/1.1\r\n\r\n"),
    "the method": (400, _SECRET + b"() / HTTP/1.1\r\n\r\n"),
    "the version": (400, b"GET / HTTP/" + _SECRET + b"\r\n\r\n"),
    "a long address": (414, b"GET /?" + _SECRET * 400 + b" HTTP/1.1\r\n\r\n"),
    "a long header": (431, _LINE + b"X: " + _SECRET * 1300 + b"\r\n\r\n"),
    "many headers": (431, _LINE + b"X: " + (_SECRET + b"\r\nX: ") * 200 + b"\r\n\r\n"),
    "an expectation": (417, _LINE + b"Expect: " + _SECRET + b"\r\n\r\n"),
    "a coding": (501, _LINE + b"Transfer-Encoding: " + _SECRET + b"\r\n\r\n"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[EchoServer]:
    """A web server with one thread."""
    with echo_server() as running:
        yield running


def answer(server: EchoServer, sent: bytes) -> bytes:
    with socket.create_connection(server.address, timeout=10) as connection:
        connection.sendall(sent)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("what", list(_WRONG))
def test_it_is_refused_and_not_quoted(server: EchoServer, what: str) -> None:
    status, sent = _WRONG[what]
    before = server.log.stat().st_size
    head, _, body = answer(server, sent).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"Connection: close" in head
    assert b"Content-Type: application/json" in head
    assert list(json.loads(body)) == ["error"]
    said = server.log.read_bytes()[before:]
    assert said.count(b"\n") == 1
    assert b"Not a request" in said
    assert b"127.0.0.1" in said
    assert _SECRET not in said + head + body


def test_a_value_in_several_lines_counts_as_one_with_blanks(server: EchoServer) -> None:
    sent = _LINE + b"Authorization: ZGVtby1w\r\n  YXJ0bmVy\r\nConnection: close\r\n\r\n"
    said = answer(server, sent)
    assert said.startswith(b"HTTP/1.1 200 ")
    assert b'"HTTP_AUTHORIZATION": "ZGVtby1w YXJ0bmVy"' in said


def test_who_does_not_close_holds_up_nobody(server: EchoServer) -> None:
    lasting = [socket.create_connection(server.address, timeout=10) for _ in range(10)]
    for connection in lasting:
        connection.sendall(_WRONG["no colon"][1])
        assert connection.recv(12) == b"HTTP/1.1 400"
    begun = time.monotonic()
    assert answer(server, _LINE + b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    assert time.monotonic() - begun < 2
    for connection in lasting:
        connection.close()


def test_the_answer_to_a_body_nobody_read_arrives(server: EchoServer) -> None:
    size = 30_000_000
    head = b"POST /unread HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % size
    with socket.create_connection(server.address, timeout=10) as connection:
        connection.sendall(head + bytes(size))
        assert connection.recv(12) == b"HTTP/1.1 200"


def test_a_mistake_of_ours_is_none_of_the_caller_s() -> None:
    for mistake in (
        errors.InvalidResponseHeader("X"),
        errors.InvalidResponseHeaderName("X"),
        errors.ConfigurationProblem("X"),
        ValueError("X"),
    ):
        assert refusals.refusal_of(mistake).status == 500
