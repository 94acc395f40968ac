"""One request out, one bounded answer back, over connections that are kept."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from callbacks import connections
from callbacks.errors import Kind, TransportError
from callbacks.transport import HttpAnswer, TimeLimits, Transport
from tests.support.receiver import Receiver, Reply

pytestmark = pytest.mark.once

Post = Callable[..., HttpAnswer]


def test_a_request_arrives_whole_and_the_answer_comes_back(receiver: Receiver, post: Post) -> None:
    receiver.next(Reply(status=202, body=b'{"ok":1}', headers={"X-Answer": "yes"}))
    answer = post(receiver.url + "/hook?a=b%20c", b'{"n":1}')
    assert (answer.status, answer.body, answer.headers["x-answer"]) == (202, b'{"ok":1}', "yes")
    assert answer.is_success
    (request,) = receiver.requests
    assert (request.method, request.target, request.body) == ("POST", "/hook?a=b%20c", b'{"n":1}')
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert request.headers["x-test"] == "1"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["content-length"] == "7"


def test_the_host_name_is_kept_though_the_address_is_dialled(
    receiver: Receiver, post: Post
) -> None:
    post(receiver.url_at("localhost"))
    assert receiver.requests[0].headers["host"] == f"localhost:{receiver.port}"


def test_connections_are_kept_and_used_again(receiver: Receiver, post: Post) -> None:
    receiver.next(
        Reply(body=b"x"), Reply(status=500, body=b"y"), Reply(body=b"z" * 3000, chunked=True)
    )
    assert [len(post(receiver.url).body) for _ in range(4)] == [1, 1, 3000, 0]
    assert [request.connection for request in receiver.requests] == [1, 1, 1, 1]


def test_a_connection_idle_for_long_is_not_used_again(
    receiver: Receiver, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LONGEST_IDLE", 0.05)
    post(receiver.url)
    time.sleep(0.1)
    post(receiver.url)
    assert [request.connection for request in receiver.requests] == [1, 2]


def test_a_connection_the_peer_closed_is_replaced(receiver: Receiver, post: Post) -> None:
    post(receiver.url)
    receiver.drop_connections()
    time.sleep(0.05)
    assert post(receiver.url).status == 200
    assert [request.connection for request in receiver.requests] == [1, 2]


@pytest.fixture
def unaware(monkeypatch: pytest.MonkeyPatch) -> None:
    """The peer closes between our look at a kept connection and our first byte."""
    monkeypatch.setattr(
        connections.Connection, "is_connected", property(lambda self: self.sock is not None)
    )


@pytest.mark.usefixtures("unaware")
def test_a_kept_connection_that_takes_no_byte_is_replaced(receiver: Receiver, post: Post) -> None:
    receiver.default = Reply(delay=0.1)
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(post, [receiver.url] * 3))
    receiver.drop_connections(reset=True)
    time.sleep(0.05)
    assert post(receiver.url).status == 200
    assert len(receiver.requests) == 4
    assert receiver.requests[-1].connection == receiver.connections == 4


@pytest.mark.usefixtures("unaware")
def test_a_kept_connection_that_took_bytes_is_not_replaced(receiver: Receiver, post: Post) -> None:
    """The peer may have read them, and may have done the work."""
    post(receiver.url)
    receiver.drop_connections()
    time.sleep(0.05)
    with pytest.raises(TransportError) as caught:
        post(receiver.url)
    assert caught.value.kind is Kind.PROTOCOL
    assert len(receiver.requests) == receiver.connections == 1


def test_a_request_of_which_a_byte_was_sent_is_never_sent_again(
    receiver: Receiver, post: Post
) -> None:
    post(receiver.url)
    receiver.next(Reply(hang_up=True))
    with pytest.raises(TransportError) as caught:
        post(receiver.url)
    assert caught.value.kind is Kind.PROTOCOL
    assert not caught.value.permanent
    assert len(receiver.requests) == 2


@pytest.mark.parametrize("reply", [Reply(hang_up=True), Reply(reset=True)])
def test_a_fresh_connection_that_breaks_is_not_retried(
    receiver: Receiver, post: Post, reply: Reply
) -> None:
    receiver.next(reply)
    with pytest.raises(TransportError) as caught:
        post(receiver.url)
    assert caught.value.kind is Kind.PROTOCOL
    assert len(receiver.requests) == 1


def test_redirects_are_not_followed(receiver: Receiver, post: Post) -> None:
    with Receiver() as other:
        receiver.next(Reply(status=307, headers={"Location": other.url + "/elsewhere"}))
        answer = post(receiver.url)
        assert (answer.status, answer.is_success) == (307, False)
        assert other.requests == []


def test_proxies_of_the_environment_are_ignored(
    receiver: Receiver, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Receiver() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        assert post(receiver.url).status == 200
        assert proxy.requests == []
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    "reply",
    [Reply(), Reply(chunked=True), Reply(no_length=True)],
    ids=["length", "chunked", "until it closes"],
)
def test_an_answer_is_bounded_in_every_form(receiver: Receiver, post: Post, reply: Reply) -> None:
    receiver.next(replace(reply, body=b"x" * 10_000), replace(reply, body=b"x" * 10_001))
    assert len(post(receiver.url).body) == 10_000
    with pytest.raises(TransportError) as caught:
        post(receiver.url)
    assert (caught.value.kind, caught.value.status) == (Kind.TOO_LARGE, 200)
    assert post(receiver.url).status == 200


def test_a_compressed_bomb_is_never_unpacked(receiver: Receiver, post: Post) -> None:
    receiver.next(Reply(body=b"\x1f\x8b not even gzip", headers={"Content-Encoding": "gzip"}))
    assert post(receiver.url).body == b"\x1f\x8b not even gzip"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b"x" * 100, cut=40),
        Reply(body=b"x" * 100, cut=0),
        Reply(body=b"x" * 3000, chunked=True, cut=1500),
        Reply(raw=b"SSH-2.0-OpenSSH\r\n"),
        Reply(raw=b"HTTP/1.1 abc Bad\r\n\r\n"),
        Reply(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        Reply(raw=b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"),
        Reply(raw=b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n"),
    ],
    ids=[
        "cut",
        "cut at once",
        "cut chunks",
        "not http",
        "status",
        "bad chunk",
        "many headers",
        "long header",
    ],
)
def test_a_broken_answer_is_an_error_of_the_protocol(
    receiver: Receiver, post: Post, reply: Reply
) -> None:
    receiver.next(replace(reply, close=True))
    with pytest.raises(TransportError) as caught:
        post(receiver.url)
    assert caught.value.kind is Kind.PROTOCOL
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("value", ["a\r\nInjected: 1", "a\nb", "€"])
def test_a_header_that_cannot_be_sent_is_not(
    receiver: Receiver, outbound: Transport, value: str
) -> None:
    limits = TimeLimits(connect=1, read=1, total=1)
    with pytest.raises(TransportError) as caught:
        outbound.post(receiver.url, b"", {"X-Bad": value}, limits=limits, max_answer=1)
    assert (caught.value.kind, caught.value.permanent) == (Kind.BAD_URL, True)
    assert receiver.requests == []


def test_nobody_listening_is_a_failure_to_connect(post: Post) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        with pytest.raises(TransportError) as caught:
            post(f"http://127.0.0.1:{reserved.getsockname()[1]}/")
    assert (caught.value.kind, caught.value.permanent) == (Kind.CONNECT, False)


def test_a_name_that_does_not_exist_is_a_failure_of_the_name(post: Post) -> None:
    with pytest.raises(TransportError) as caught:
        post("http://nowhere.invalid/")
    assert caught.value.kind in {Kind.DNS, Kind.TIMEOUT}


def test_many_threads_share_the_connections(receiver: Receiver, post: Post) -> None:
    def send(number: int) -> bytes:
        return post(receiver.url, str(number).encode()).body

    receiver.default = Reply(body=b"ok", delay=0.01)
    with ThreadPoolExecutor(6) as threads:
        assert set(threads.map(send, range(60))) == {b"ok"}
    assert sorted(int(request.body) for request in receiver.requests) == list(range(60))
    assert receiver.connections <= 8


def test_neither_errors_nor_logs_quote_the_url(
    receiver: Receiver, post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.next(
        Reply(raw=b"HTTP/1.1 200 OK\r\nbad header\r\nContent-Length: 0\r\n\r\n", close=True),
        Reply(hang_up=True),
    )
    errors = []
    for url in (
        receiver.url + "/p?token=s3cr3t",
        receiver.url + "/p?token=s3cr3t",
        "http://nowhere.invalid/p?token=s3cr3t",
        "http://10.0.0.1/p?token=s3cr3t",
        "http://s3cr3t@example.com/",
    ):
        try:
            post(url)
        except TransportError as error:
            errors.append(f"{error!r} {error} {error.__cause__!r}")
    assert len(errors) >= 4
    assert "s3cr3t" not in "".join(errors) + caplog.text


def test_a_child_process_leaves_the_parents_connections_alone(
    receiver: Receiver, post: Post, outbound: Transport
) -> None:
    post(receiver.url)
    outbound.after_fork()
    post(receiver.url)
    assert [request.connection for request in receiver.requests] == [1, 2]


@pytest.mark.parametrize("status", ["102 Processing", "103 Early Hints", "199 Whatever"])
def test_an_interim_answer_is_not_the_answer(receiver: Receiver, post: Post, status: str) -> None:
    interim = f"HTTP/1.1 {status}\r\nLink: </a>\r\n\r\n".encode()
    for body in (b"first", b"second"):
        final = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        # Bytes that come one by one: nothing of the final answer is there with the interim one.
        receiver.next(Reply(raw=interim * 2 + final, drip=0.001))
    answers = [post(receiver.url) for _ in range(2)]
    assert [(answer.status, answer.body) for answer in answers] == [
        (200, b"first"),
        (200, b"second"),
    ]
    assert [request.connection for request in receiver.requests] == [1, 1]


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * (connections.MOST_INTERIM + 1),
    ],
    ids=["another protocol", "no end"],
)
def test_without_a_final_answer_the_connection_is_given_up(
    receiver: Receiver, post: Post, raw: bytes
) -> None:
    receiver.next(Reply(raw=raw), Reply(body=b"ok"))
    with pytest.raises(TransportError) as caught:
        post(receiver.url)
    assert caught.value.kind is Kind.PROTOCOL
    assert post(receiver.url).body == b"ok"
    assert [request.connection for request in receiver.requests] == [1, 2]


def test_a_get_has_no_body_and_is_bounded_too(receiver: Receiver, outbound: Transport) -> None:
    receiver.next(Reply(body=b"file"), Reply(body=b"x" * 101))
    limits = TimeLimits(connect=2, read=2, total=3)
    answer = outbound.get(f"{receiver.url}/a?b", {"X-Test": "1"}, limits=limits, max_answer=100)
    assert (answer.status, answer.body) == (200, b"file")
    asked = receiver.requests[0]
    assert (asked.method, asked.target, asked.body) == ("GET", "/a?b", b"")
    assert "content-length" not in asked.headers
    assert asked.headers["x-test"] == "1"
    with pytest.raises(TransportError) as failed:
        outbound.get(receiver.url, {}, limits=limits, max_answer=100)
    assert failed.value.kind is Kind.TOO_LARGE
