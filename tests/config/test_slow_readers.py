"""Callers who do not read their answers keep nobody from the only thread's seat."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from config.served_request import SLOW_READERS
from tests.support.echo import LARGE
from tests.support.echo_server import EchoServer, echo_server

pytestmark = pytest.mark.once

_ASK = b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[EchoServer]:
    """A web server that serves one request at once."""
    with echo_server() as running:
        yield running


def connect(server: EchoServer) -> socket.socket:
    connection = socket.socket()
    connection.settimeout(10)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(server.address)
    return connection


@pytest.mark.parametrize("path", [b"/large", b"/file"])
def test_a_large_answer_holds_up_nobody_and_arrives_whole(server: EchoServer, path: bytes) -> None:
    asking = [connect(server) for _ in range(5)]
    for connection in asking:
        connection.sendall(_ASK % path)
    for connection in asking:
        assert connection.recv(12, socket.MSG_PEEK) == b"HTTP/1.1 200"
    server.assert_answers_at_once()
    reply = http.client.HTTPResponse(asking[0])
    reply.begin()
    assert reply.read() == LARGE
    # And the connection goes on.
    asking[0].sendall(_ASK % b"/asked")
    assert asking[0].recv(12) == b"HTTP/1.1 200"
    for connection in asking:
        connection.close()


def test_many_answers_to_one_who_asks_ahead_hold_up_nobody_and_all_arrive(
    server: EchoServer,
) -> None:
    asking = (_ASK % b"/asked") * 12_000
    with connect(server) as connection:
        connection.setblocking(False)
        asked = 0
        with suppress(BlockingIOError):
            while asked < len(asking):
                asked += connection.send(asking[asked : asked + 4096])
        time.sleep(0.5)
        server.assert_answers_at_once()
        connection.settimeout(10)
        connection.shutdown(socket.SHUT_WR)
        answers = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answers.count(b"HTTP/1.1 200 ") == asked // len(_ASK % b"/asked")


def test_of_more_than_are_waited_for_the_last_lose_the_connection(server: EchoServer) -> None:
    # So many that each may not hold up the others while it is seen that there are too many.
    asking = [connect(server) for _ in range(SLOW_READERS + 40)]
    for connection in asking:
        connection.sendall(_ASK % b"/large")
    server.assert_answers_at_once()
    for connection in asking:
        connection.recv(1, socket.MSG_PEEK)
    time.sleep(1)  # before a place is free again, all others have lost their connections
    whole = 0
    for connection in asking:
        reply = http.client.HTTPResponse(connection)
        reply.begin()
        with suppress(http.client.IncompleteRead, ConnectionResetError):
            whole += reply.read() == LARGE
        connection.close()
    assert whole == SLOW_READERS
