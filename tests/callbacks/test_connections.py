"""How many connections are kept, for one place and in all, and how a request leaves."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from callbacks import connections
from callbacks.transport import HttpAnswer
from tests.support.receiver import Receiver, Reply

Post = Callable[..., HttpAnswer]


def test_one_place_keeps_so_many(
    receiver: Receiver, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "KEPT_CONNECTIONS", 2)
    receiver.default = Reply(delay=0.2)
    for expected in (4, 6):
        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(post, [receiver.url] * 4))
        assert [answer.status for answer in answers] == [200] * 4
        assert receiver.connections == expected


def test_the_place_not_called_for_longest_lets_go_first(
    receiver: Receiver, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "KEPT_IN_ALL", 2)
    with Receiver() as second, Receiver() as third:
        for url in (receiver.url, second.url, third.url):
            post(url)
        for url in (third.url, second.url, receiver.url):
            post(url)
        made = [each.connections for each in (receiver, second, third)]
    assert made == [2, 1, 1]


def test_head_and_body_leave_in_one_piece(post: Post) -> None:
    """Two pieces cost two turns of the kernel and two packets."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        pieces: list[bytes] = []

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                pieces.append(connection.recv(65_536))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        assert post(f"http://127.0.0.1:{server.getsockname()[1]}/", b'{"whole":1}').status == 200
        thread.join()
    assert pieces[0].startswith(b"POST / HTTP/1.1\r\n")
    assert pieces[0].endswith(b'\r\n\r\n{"whole":1}')
