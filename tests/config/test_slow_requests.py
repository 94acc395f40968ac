"""Callers who send slowly, or never all of it, keep nobody from the only thread."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import time
from collections.abc import Iterator

import pytest

from tests.support.echo_server import EchoServer, echo_server

pytestmark = pytest.mark.once

_HEAD = b"POST /asked HTTP/1.1\r\nHost: localhost\r\n"
_FRAMINGS = {
    "head": (b"", b"Content-Length: 5\r\n\r\nhello"),
    "body": (b"Content-Length: 5\r\n\r\n", b"hello"),
    "zeros": (b"Content-Length: 00000000000000000005\r\n\r\n", b"hello"),
    "chunks": (b"Transfer-Encoding: chunked\r\n\r\n", b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[EchoServer]:
    """A web server with one thread."""
    with echo_server() as running:
        yield running


def connect(server: EchoServer) -> socket.socket:
    return socket.create_connection(server.address, timeout=10)


def answer(connection: socket.socket) -> tuple[int, dict[str, str]]:
    reply = http.client.HTTPResponse(connection)
    reply.begin()
    text = reply.read()
    return reply.status, json.loads(text) if text.startswith(b"{") else {}


@pytest.mark.parametrize("slow", list(_FRAMINGS))
def test_one_that_comes_byte_by_byte_holds_up_nobody_and_is_served(
    server: EchoServer, slow: str
) -> None:
    first, rest = _FRAMINGS[slow]
    waiting = [connect(server) for _ in range(10)]
    for connection in waiting:
        connection.sendall(_HEAD + first)
    server.assert_answers_at_once()
    for place in range(len(rest)):
        for connection in waiting:
            connection.sendall(rest[place : place + 1])
        if place == len(rest) // 2:
            server.assert_answers_at_once()
    for connection in waiting:
        status, told = answer(connection)
        assert (status, told["body"]) == (200, "hello")
        connection.close()


def test_half_a_request_behind_a_whole_one_waits_without_a_thread(server: EchoServer) -> None:
    whole = _HEAD + b"Content-Length: 3\r\n\r\none"
    with connect(server) as connection:
        connection.sendall(whole + _HEAD + b"Content-Length: 3\r\n\r\n")
        assert answer(connection)[1]["body"] == "one"
        server.assert_answers_at_once()
        connection.sendall(b"two")
        assert answer(connection)[1]["body"] == "two"


@pytest.mark.parametrize(
    "broken",
    [b"Transfer-Encoding: chunked\r\n\r\n3\nabc", b"Content-Length: 99000000\r\n\r\nabc"],
    ids=["line end", "too large"],
)
def test_what_is_not_waited_for_is_not_waited_for_by_who_reads_it(
    server: EchoServer, broken: bytes
) -> None:
    waiting = [connect(server) for _ in range(10)]
    for connection in waiting:
        connection.sendall(_HEAD + broken)
    server.assert_answers_at_once()
    for connection in waiting:
        assert connection.recv(1) == b""
        connection.close()


def test_a_large_body_arrives_whole(server: EchoServer) -> None:
    body = bytes(range(256)) * 4096 * 8  # 8 MB
    with connect(server) as connection:
        connection.sendall(_HEAD + b"Content-Length: %d\r\n\r\n" % len(body))
        for start in range(0, len(body), 500_000):
            connection.sendall(body[start : start + 500_000])
        status, told = answer(connection)
    assert status == 200
    assert told["body"].encode("latin-1") == body


def test_who_waits_to_be_asked_for_the_body_is_asked_once(server: EchoServer) -> None:
    with connect(server) as connection:
        connection.sendall(_HEAD + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        server.assert_answers_at_once()
        connection.sendall(b"hello")
        # The next answer is the last one, and not another invitation.
        assert connection.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 200"
        assert answer(connection)[1]["body"] == "hello"


def test_who_waits_to_be_asked_for_too_much_is_answered_unasked(server: EchoServer) -> None:
    with connect(server) as connection:
        head = _HEAD.replace(b"/asked", b"/unread")
        connection.sendall(head + b"Expect: 100-continue\r\nContent-Length: 99000000\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 200"


def test_a_head_without_an_end_is_refused(server: EchoServer) -> None:
    with connect(server) as connection:
        connection.sendall(_HEAD + b"X: " + b"x" * 70_000)
        assert answer(connection)[0] == 431
        assert connection.recv(1) == b""


def test_a_request_that_takes_too_long_is_refused() -> None:
    with echo_server(settings={"SEALGATE_REQUEST_SECONDS": "1"}) as server:
        # Silence between requests is another matter.
        with connect(server) as connection:
            for _ in range(2):
                connection.sendall(_HEAD + b"\r\n")
                assert answer(connection)[0] == 200
                time.sleep(1.2)
        with connect(server) as connection:
            connection.sendall(_HEAD)
            time.sleep(1.2)
            connection.sendall(b"X")
            assert answer(connection)[0] == 408
            assert connection.recv(1) == b""


def test_more_than_memory_should_hold_is_refused_and_small_requests_are_served(
    server: EchoServer,
) -> None:
    part = b"x" * 9_000_000
    large = [connect(server) for _ in range(18)]
    try:
        for connection in large:
            connection.settimeout(20)
            connection.sendall(_HEAD + b"Content-Length: 10000000\r\n\r\n")
            try:
                connection.sendall(part)
            except OSError:
                continue  # refused on the way
        refused = 0
        for connection in large:
            connection.settimeout(0.3)
            try:
                refused += connection.recv(12) in (b"HTTP/1.1 503", b"")
            except TimeoutError:
                continue  # waited for
            except OSError:
                refused += 1
        assert 1 <= refused < len(large)
        server.assert_answers_at_once()
    finally:
        for connection in large:
            connection.close()


def test_a_worker_told_to_end_does_not_wait_for_half_a_request() -> None:
    with echo_server() as server, connect(server) as connection:
        connection.sendall(_HEAD + b"Content-Length: 5\r\n\r\nhel")
        server.assert_answers_at_once()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(15) == 0
