"""An answer that is one piece leaves in one go; any other as gunicorn sends it."""

from __future__ import annotations

import errno
import socket
import time
from types import SimpleNamespace
from typing import Any

import pytest

from config import served_request
from config.served_request import Response


class Wire:
    """Stands for a socket, and keeps what is sent, each sending for itself."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, data: bytes, flags: int) -> int:
        """Take it down."""
        self.sent.append(bytes(data))
        return len(data)


def made(wire: Any, method: str = "GET") -> Response:
    """Return the response to a request that came over ``wire``."""
    request: Any = SimpleNamespace(version=(1, 1), method=method, should_close=lambda: False)
    return Response(request, wire, SimpleNamespace(is_ssl=False))


def answer(*pieces: bytes, method: str = "GET", length: int | None) -> list[bytes]:
    """Return the sendings of an answer in these pieces."""
    wire = Wire()
    response = made(wire, method)
    headers = [("Content-Type", "text/plain")]
    if length is not None:
        headers.append(("Content-Length", str(length)))
    response.start_response("200 OK", headers)
    for piece in pieces:
        response.write(piece)
    response.close()
    return wire.sent


def test_head_and_body_are_sent_together() -> None:
    (sent,) = answer(b"body", length=4)
    head, _, body = sent.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert lines[0] == b"HTTP/1.1 200 OK"
    assert lines[3:] == [
        b"Connection: keep-alive",
        b"Content-Type: text/plain",
        b"Content-Length: 4",
    ]
    assert body == b"body"


def test_a_large_body_is_not_copied_behind_its_head() -> None:
    body = b"x" * 70_000
    head, sent = answer(body, length=len(body))
    assert head.endswith(b"\r\n\r\n")
    assert sent == body


@pytest.mark.parametrize(
    ("pieces", "method", "length", "body"),
    [
        ((b"bo", b"dy"), "GET", 4, b"body"),
        ((b"body",), "GET", None, b"4\r\nbody\r\n0\r\n\r\n"),
        ((), "GET", 0, b""),
        ((b"",), "GET", 0, b""),
        ((b"body",), "HEAD", 4, b""),
        ((b"body and more",), "GET", 4, b"body"),
        ((b"body", b"and more"), "GET", 4, b"body"),
    ],
    ids=["pieces", "chunked", "empty", "one empty piece", "head", "too long", "too many"],
)
def test_every_other_is_framed_as_it_should_be(
    pieces: tuple[bytes, ...], method: str, length: int | None, body: bytes
) -> None:
    sent = b"".join(answer(*pieces, method=method, length=length))
    assert sent.startswith(b"HTTP/1.1 200 OK\r\n")
    assert sent.partition(b"\r\n\r\n")[2] == body
    assert (b"Transfer-Encoding: chunked" in sent) == (length is None)


def test_no_header_is_split() -> None:
    wire = Wire()
    response = made(wire)
    with pytest.raises(Exception, match="X-Said"):
        response.start_response("200 OK", [("X-Said", "a\r\nSet-Cookie: b")])
    assert wire.sent == []


@pytest.mark.parametrize(
    ("status", "method", "pieces", "is_short"),
    [
        ("200 OK", "GET", [b"body"], False),
        ("200 OK", "GET", [b"bo", b"dy"], False),
        ("200 OK", "GET", [b"bo"], True),
        ("200 OK", "GET", [], True),
        ("200 OK", "HEAD", [], False),
        ("304 Not Modified", "GET", [], False),
    ],
)
def test_one_that_is_shorter_than_it_says_is_known(
    status: str, method: str, pieces: list[bytes], is_short: bool
) -> None:
    response = made(Wire(), method)
    response.start_response(status, [("Content-Length", "4")])
    for piece in pieces:
        response.write(piece)
    response.close()
    assert response.is_short is is_short


def test_one_that_is_not_read_in_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served_request, "_TAKEN", 0.2)
    one, other = socket.socketpair()
    with one, other:
        response = made(one)
        response.start_response("200 OK", [("Content-Length", "20000000")])
        begun = time.monotonic()
        with pytest.raises(OSError, match="not read") as caught:
            response.write(b"x" * 10_000_000)
        assert 0.2 <= time.monotonic() - begun < 2
        assert caught.value.errno == errno.ETIMEDOUT
        # It was all the patience there is for this answer.
        with pytest.raises(BlockingIOError):
            response.write(b"x")
