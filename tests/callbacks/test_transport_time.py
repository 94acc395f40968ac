"""No server, however slow and at whatever point, holds a caller beyond the limits."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from callbacks import resolver
from callbacks.errors import Kind, TransportError
from callbacks.transport import HttpAnswer, Transport
from tests.support.certificates import Authority
from tests.support.name_server import NameServer
from tests.support.receiver import Receiver, Reply

pytestmark = pytest.mark.once

Post = Callable[..., HttpAnswer]


def fails_in_time(post: Post, url: str, seconds: float, **given: object) -> TransportError:
    started = time.monotonic()
    with pytest.raises(TransportError) as caught:
        post(url, **given)
    took = time.monotonic() - started
    assert seconds * 0.8 <= took < seconds + 0.5
    assert (caught.value.kind, caught.value.permanent) == (Kind.TIMEOUT, False)
    return caught.value


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that accepts and never says a word."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(5)
        yield server.getsockname()[1]


def test_silence_ends_after_the_read_time(receiver: Receiver, post: Post) -> None:
    receiver.next(Reply(delay=5))
    fails_in_time(post, receiver.url, 0.3, read=0.3, total=2.0)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b"x" * 500, drip=0.05),
        Reply(body=b"x" * 500, drip=0.05, chunked=True),
        Reply(body=b"x" * 500, drip=0.05, no_length=True),
        Reply(drip=0.05, drip_head=True),
        Reply(raw=b"HTTP/1.1 100 Continue\r\n\r\n" * 100, drip=0.02),
    ],
    ids=["body", "chunks", "without end", "head", "continue"],
)
def test_a_dripping_server_is_left_after_the_total_time(
    receiver: Receiver, post: Post, reply: Reply
) -> None:
    receiver.next(reply)
    fails_in_time(post, receiver.url, 0.6, read=0.5, total=0.6)


def test_a_dripping_server_is_left_over_tls_too(authority: Authority, post: Post) -> None:
    with Receiver(tls=authority.server_context("127.0.0.1")) as receiver:
        receiver.next(Reply(drip=0.05, drip_head=True))
        fails_in_time(post, receiver.url, 0.6, read=0.5, total=0.6)


def test_a_receiver_that_does_not_read_is_left(silent: int, post: Post) -> None:
    url = f"http://127.0.0.1:{silent}/"
    fails_in_time(post, url, 0.5, body=b"x" * 30_000_000, read=0.5, total=0.5)


def test_a_handshake_that_never_ends_is_part_of_connecting(silent: int, post: Post) -> None:
    fails_in_time(post, f"https://127.0.0.1:{silent}/", 0.4, connect=0.4, total=3.0)


def test_a_handshake_of_single_bytes_is_part_of_connecting(post: Post) -> None:
    stop = threading.Event()

    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            # A TLS record of 16 KB announced, and then a byte now and then.
            connection.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc")
            while not stop.wait(0.05):
                try:
                    connection.sendall(b"\0")
                except OSError:
                    return

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        try:
            url = f"https://127.0.0.1:{server.getsockname()[1]}/"
            fails_in_time(post, url, 0.5, connect=0.5, total=3.0)
        finally:
            stop.set()
            thread.join()


def test_an_address_that_swallows_connections_does_not_eat_the_others_time(
    receiver: Receiver, post: Post
) -> None:
    """A backlog that is full drops SYNs, as a dead address does."""
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.2", receiver.port))
        full.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.2", receiver.port))
        time.sleep(0.05)
        client = Transport(resolve=lambda host, seconds: ["127.0.0.2", "127.0.0.1"])
        started = time.monotonic()
        url = f"http://two.example:{receiver.port}/"
        assert post(url, via=client, connect=0.6, total=2.0).status == 200
        assert 0.2 < time.monotonic() - started < 0.6
        with pytest.raises(TransportError) as caught:
            alone = Transport(resolve=lambda host, seconds: ["127.0.0.2"])
            post(url, via=alone, connect=0.3, total=2.0)
        assert caught.value.kind is Kind.TIMEOUT


def test_a_silent_name_server_is_part_of_connecting(post: Post) -> None:
    with NameServer(None) as names:
        client = Transport(resolve=names.resolve)
        fails_in_time(post, "http://slow.example/", 0.3, via=client, connect=0.3, total=2.0)


def test_a_time_that_is_over_before_the_look_up_is_a_time_out(post: Post) -> None:
    """A busy machine; the call may be made again. Nobody is asked."""
    with NameServer(["127.0.0.1"]) as names:
        client = Transport(resolve=names.resolve)
        fails_in_time(post, "http://slow.example/", 0, via=client, connect=1e-9, total=2.0)
        assert names.asked == []


def test_the_systems_resolver_is_not_waited_for(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()

    def hang(*_: object, **__: object) -> list[object]:
        release.wait(5)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        fails_in_time(post, "http://slow.example/", 0.3, connect=0.3, total=2.0)
    finally:
        release.set()


def test_look_ups_under_way_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    begun: list[str] = []

    def hang(host: str, *_: object, **__: object) -> list[object]:
        begun.append(host)
        release.wait(5)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        for number in range(resolver.MOST_LOOKUPS + 3):
            with pytest.raises(TransportError) as caught:
                resolver.resolve(f"h{number}.example", 0.01)
            assert caught.value.kind is Kind.TIMEOUT
    finally:
        release.set()
    assert len(begun) == resolver.MOST_LOOKUPS
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            resolver.resolve("after.example", 1)
            break
        except TransportError:
            time.sleep(0.01)
    assert begun[-1] == "after.example"


def test_who_asks_for_one_name_shares_one_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    release, begun = threading.Event(), []

    def hang(host: str, *_: object, **__: object) -> list[object]:
        begun.append(host)
        release.wait(5)
        return [(0, 0, 0, "", ("192.0.2.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    found: list[list[str]] = []
    ask = [
        threading.Thread(target=lambda: found.append(resolver.resolve("dead.example", 5)))
        for _ in range(4)
    ]
    try:
        for _ in range(resolver.MOST_LOOKUPS + 3):
            with pytest.raises(TransportError):
                resolver.resolve("dead.example", 0.005)
        for thread in ask:
            thread.start()
    finally:
        release.set()
    for thread in ask:
        thread.join()
    assert found == [["192.0.2.1"]] * 4
    assert begun == ["dead.example"]
    assert resolver.resolve("dead.example", 5) == ["192.0.2.1"]
    assert len(begun) == 2  # nothing is remembered


def test_a_system_without_a_thread_left_keeps_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        for _ in range(resolver.MOST_LOOKUPS + 3):
            with pytest.raises(TransportError) as caught:
                resolver.resolve("any.example", 0.5)
            assert caught.value.kind is Kind.DNS
    assert resolver.resolve("127.0.0.1", 5) == ["127.0.0.1"]
