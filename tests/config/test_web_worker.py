"""A thread stays with a connection that goes on sending, and with nobody at others' cost."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.support.echo_server import echo_server

pytestmark = pytest.mark.once


@pytest.fixture
def server() -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """A web server with one thread before an application that echoes: its port and process."""
    with echo_server() as running:
        yield running.port, running.process


def ask(connection: http.client.HTTPConnection) -> int:
    connection.request("GET", "/asked")
    reply = connection.getresponse()
    reply.read()
    return reply.status


def test_many_requests_of_one_connection_are_answered(
    server: tuple[int, subprocess.Popen[bytes]],
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server[0], timeout=10)
    assert {ask(connection) for _ in range(200)} == {200}
    time.sleep(0.1)  # long enough to have been handed back
    assert ask(connection) == 200


def test_requests_sent_ahead_are_answered_in_order(
    server: tuple[int, subprocess.Popen[bytes]],
) -> None:
    request = b"GET /%d HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = b"GET /9 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server[0]), timeout=10) as connection:
        connection.sendall(b"".join(request % number for number in range(9)) + last)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    paths = [answer.index(b'"/%d"' % number) for number in range(10)]
    assert answer.count(b"HTTP/1.1 200 ") == 10
    assert paths == sorted(paths)


def test_one_that_never_stops_keeps_nobody_from_the_only_thread(
    server: tuple[int, subprocess.Popen[bytes]],
) -> None:
    busy = threading.Event()
    stop = threading.Event()

    def go_on() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server[0], timeout=10)
        while not stop.is_set():
            ask(connection)
            busy.set()

    one = threading.Thread(target=go_on)
    one.start()
    try:
        assert busy.wait(10)
        for _ in range(5):
            begun = time.monotonic()
            assert ask(http.client.HTTPConnection("127.0.0.1", server[0], timeout=10)) == 200
            assert time.monotonic() - begun < 2
    finally:
        stop.set()
        one.join()


def test_connections_that_say_nothing_keep_nobody_from_the_only_thread(
    server: tuple[int, subprocess.Popen[bytes]],
) -> None:
    address = ("127.0.0.1", server[0])
    silent = [socket.create_connection(address, timeout=10) for _ in range(10)]
    begun = time.monotonic()
    assert ask(http.client.HTTPConnection(*address, timeout=10)) == 200
    assert time.monotonic() - begun < 2
    # One that speaks up later is served too.
    silent[0].sendall(b"GET /late HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert silent[0].recv(12) == b"HTTP/1.1 200"
    for connection in silent:
        connection.close()


def test_a_worker_told_to_end_does_not_wait_for_an_idle_connection(
    server: tuple[int, subprocess.Popen[bytes]],
) -> None:
    port, process = server
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    assert ask(connection) == 200
    process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0
    with suppress(OSError):
        connection.close()
