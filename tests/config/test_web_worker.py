"""A thread serves whoever has sent something, and nobody at others' cost."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from config import readiness
from config.arrival import MOST_HEAD
from config.web_worker import Connection, WebWorker
from tests.support.echo_server import echo_server
from tests.support.product import ROOT, free_port

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
    time.sleep(0.1)
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


def test_one_that_sends_far_ahead_keeps_nobody_from_the_only_thread(
    server: tuple[int, subprocess.Popen[bytes]],
) -> None:
    """Nor is it kept from it by others."""
    request = b"GET /ahead HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answers = 0
    with socket.create_connection(("127.0.0.1", server[0]), timeout=10) as connection:

        def send() -> None:
            connection.sendall(request * 4000)
            connection.shutdown(socket.SHUT_WR)

        sending = threading.Thread(target=send)
        sending.start()
        slowest = 0.0
        other = http.client.HTTPConnection("127.0.0.1", server[0], timeout=10)
        while piece := connection.recv(65536):
            answers += piece.count(b"HTTP/1.1 200 ")
            begun = time.monotonic()
            assert ask(other) == 200
            slowest = max(slowest, time.monotonic() - begun)
        sending.join()
    assert answers > 3900  # a status line may lie across two pieces
    assert slowest < 2


def test_what_is_sent_while_a_worker_ends_is_answered_and_said_to_be_the_last(
    server: tuple[int, subprocess.Popen[bytes]],
) -> None:
    port, process = server
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    assert ask(connection) == 200
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    connection.request("GET", "/asked")
    reply = connection.getresponse()
    assert (reply.status, reply.getheader("Connection")) == (200, "close")
    reply.read()
    connection.close()
    assert process.wait(15) == 0


def test_beyond_the_most_connections_the_next_waits_until_one_closes() -> None:
    with echo_server(settings={"GUNICORN_CMD_ARGS": "--worker-connections 3"}) as running:
        # The one that saw the server start may still be on its way out.
        time.sleep(1.5)
        kept = [http.client.HTTPConnection(*running.address, timeout=10) for _ in range(2)]
        assert [ask(connection) for connection in kept] == [200, 200]
        silent = socket.create_connection(running.address, timeout=10)
        with socket.create_connection(running.address, timeout=10) as late:
            late.sendall(b"GET /late HTTP/1.1\r\nHost: localhost\r\n\r\n")
            late.settimeout(0.5)
            with pytest.raises(TimeoutError):
                late.recv(1)
            silent.close()
            late.settimeout(10)
            assert late.recv(12) == b"HTTP/1.1 200"
        assert [ask(connection) for connection in kept] == [200, 200]


def test_without_room_for_one_more_connection_an_answer_says_it_is_the_last() -> None:
    with echo_server(settings={"GUNICORN_CMD_ARGS": "--worker-connections 2"}) as running:
        # The one that saw the server start may still be on its way out.
        time.sleep(1.5)
        said = []
        connections = [http.client.HTTPConnection(*running.address, timeout=10) for _ in range(2)]
        for connection in connections:
            connection.request("GET", "/asked")
            reply = connection.getresponse()
            reply.read()
            said.append((reply.status, reply.getheader("Connection")))
        for connection in connections:
            connection.close()
    assert said == [(200, "keep-alive"), (200, "close")]


def test_an_answer_shorter_than_it_says_is_the_last_of_its_connection(
    server: tuple[int, subprocess.Popen[bytes]],
) -> None:
    request = b"GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server[0]), timeout=10) as connection:
        connection.sendall(request % b"short" + request % b"next")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.endswith(b"\r\n\r\nshort")


def test_an_application_that_wants_to_end_the_process_ends_no_thread() -> None:
    with echo_server(settings={"SEALGATE_UPSTREAM_CALLS": "0"}) as running:
        for _ in range(3):
            with socket.create_connection(running.address, timeout=10) as connection:
                connection.sendall(b"GET /exit HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert connection.recv(12) == b"HTTP/1.1 500"
        assert ask(http.client.HTTPConnection(*running.address, timeout=10)) == 200


def test_a_request_that_is_served_while_a_worker_ends_is_answered(
    server: tuple[int, subprocess.Popen[bytes]],
) -> None:
    port, process = server
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    assert ask(connection) == 200  # the worker has begun
    connection.request("GET", "/slow")
    time.sleep(0.3)
    process.send_signal(signal.SIGTERM)
    reply = connection.getresponse()
    assert (reply.status, reply.read()) == (200, b"slow")
    connection.close()
    assert process.wait(15) == 0


class _Endless:
    """Stands for the socket of a caller who sends faster than it is read."""

    def __init__(self) -> None:
        self.taken = 0

    def fileno(self) -> int:
        """Return a number no other has."""
        return -2

    def recv(self, size: int, flags: int) -> bytes:
        """Return as much as is asked for."""
        self.taken += size
        return b"x" * size


def test_who_sends_a_head_without_a_pause_sends_no_more_than_others_may() -> None:
    sock: Any = _Endless()
    connection = Connection(sock, None, None)
    assert not object.__new__(WebWorker)._has_arrived(connection)
    assert MOST_HEAD < sock.taken <= MOST_HEAD + 16 * 1024


def test_one_that_is_closed_while_it_is_left_to_wait_is_nobodys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its time may be over just when it begins to wait."""
    worker = object.__new__(WebWorker)
    worker._ready, worker._waiting, worker._connections = readiness.make(), set(), {}
    worker.alive = True
    one, other = socket.socketpair()
    with one, other:
        connection = Connection(one, None, None)
        worker._connections[connection.descriptor] = connection
        add = worker._ready.add

        def closed_before(descriptor: int, *, to_write: bool = False) -> None:
            assert worker._takes(connection)
            worker._close(connection)
            add(descriptor, to_write=to_write)

        monkeypatch.setattr(worker._ready, "add", closed_before)
        worker._wait_for(connection, 1)
    assert (worker._waiting, worker._connections) == (set(), {})


def test_it_ends_after_its_most_requests_and_another_goes_on() -> None:
    with echo_server(settings={"GUNICORN_CMD_ARGS": "--max-requests 3"}) as running:
        seen = []
        for _ in range(6):
            connection = http.client.HTTPConnection(*running.address, timeout=10)
            connection.request("GET", "/pid")
            reply = connection.getresponse()
            reply.read()
            seen.append((reply.status, reply.getheader("Connection")))
            connection.close()
            time.sleep(0.2)
    assert {status for status, _ in seen} == {200}
    assert seen[2] == (200, "close")


def test_a_server_told_to_speak_tls_does_not_start() -> None:
    ran = subprocess.run(
        [
            str(Path(sys.executable).parent / "gunicorn"),
            *("--config", "config/gunicorn.py", "--certfile", "README.md"),
            "tests.support.echo:application",
        ],
        cwd=ROOT,
        env={**os.environ, "PORT": str(free_port())},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 1
    assert "put a proxy before it" in ran.stderr
