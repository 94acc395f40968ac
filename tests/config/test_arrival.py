"""A request is whole when its last byte is there, however it came in, and not before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.arrival import MOST_BODY, MOST_HEAD, Arrival, is_whole
from config.refusals import BODY_TOO_LARGE, HEAD_TOO_LARGE, TOO_SLOW

pytestmark = pytest.mark.once

_HEAD = b"POST /kairos HTTP/1.1\r\nHost: localhost\r\n"
_TEXT = st.binary(max_size=60)


@st.composite
def _with_length(draw: st.DrawFn) -> bytes:
    body = draw(_TEXT)
    name = draw(st.sampled_from([b"Content-Length", b"content-length", b"CONTENT-LENGTH"]))
    space = draw(st.sampled_from([b"", b" ", b"\t", b"\r\n "]))
    length = draw(st.sampled_from([b"%d", b"%020d"])) % len(body)
    return _HEAD + name + b":" + space + length + space + b"\r\n\r\n" + body


@st.composite
def _in_chunks(draw: st.DrawFn) -> bytes:
    chunks = draw(st.lists(st.binary(min_size=1, max_size=30), max_size=4))
    extension = draw(st.sampled_from([b"", b";a=b", b" ;a"]))
    trailers = draw(st.sampled_from([b"", b"Digest: abc\r\n", b"A: b\r\nC: d\r\n"]))
    size = draw(st.sampled_from([b"%x", b"%012x"]))
    body = b"".join(size % len(piece) + extension + b"\r\n" + piece + b"\r\n" for piece in chunks)
    coding = draw(st.sampled_from([b"chunked", b"Chunked"]))
    space = draw(st.sampled_from([b" ", b"\r\n\t"]))
    return (
        _HEAD
        + b"Transfer-Encoding:"
        + space
        + coding
        + b"\r\n\r\n"
        + body
        + b"0\r\n"
        + trailers
        + b"\r\n"
    )


_WITHOUT_BODY = st.sampled_from([_HEAD + b"\r\n", b"\r\n" + _HEAD + b"\r\n"])


@given(
    request=st.one_of(_with_length(), _in_chunks(), _WITHOUT_BODY),
    cuts=st.lists(st.integers(1, 40), max_size=30),
    next_one=_TEXT,
)
def test_whole_with_its_last_byte(request: bytes, cuts: list[int], next_one: bytes) -> None:
    coming = Arrival()
    rest = request[:-1]
    for cut in cuts:
        coming.add(rest[:cut])
        rest = rest[cut:]
        assert not coming.is_whole()
    coming.add(rest)
    assert not coming.is_whole()
    coming.add(request[-1:] + next_one)
    assert coming.is_whole()
    assert coming.data == request + next_one


@given(request=st.one_of(_with_length(), _in_chunks(), _WITHOUT_BODY), missing=st.integers(0, 60))
def test_what_is_plainly_whole_is_whole(request: bytes, missing: int) -> None:
    piece = request[: len(request) - missing]
    coming = Arrival()
    coming.add(piece)
    assert coming.is_whole() or not is_whole(piece)


def test_what_most_send_is_plainly_whole() -> None:
    for request in (_HEAD + b"\r\n", _HEAD + b"Content-Length: 5\r\n\r\nhello"):
        assert is_whole(request)
        assert not is_whole(request[:-1])


@given(st.binary(max_size=300), st.lists(st.integers(1, 40), max_size=10))
def test_whatever_comes_is_looked_at_and_kept(text: bytes, cuts: list[int]) -> None:
    coming, rest = Arrival(), text
    for cut in [*cuts, len(text)]:
        coming.add(rest[:cut])
        rest = rest[cut:]
        coming.is_whole()
    assert coming.data == text


@pytest.mark.parametrize(
    "body", [b"zz\r\n", b"-1\r\n", b"\r\n", b"1 2\r\n", b"5" * 300, b"100000000000\r\n"]
)
def test_broken_chunks_are_left_to_the_parser(body: bytes) -> None:
    coming = Arrival()
    coming.add(_HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body)
    assert coming.is_whole()


def test_a_declared_body_is_waited_for_up_to_the_largest() -> None:
    for size, whole in ((MOST_BODY, False), (MOST_BODY + 1, True), (10**15 - 1, True)):
        coming = Arrival()
        coming.add(_HEAD + b"Content-Length: %d\r\n\r\n" % size)
        assert coming.is_whole() is whole


def test_a_body_in_chunks_is_waited_for_up_to_the_largest() -> None:
    coming = Arrival()
    coming.add(_HEAD + b"Transfer-Encoding: chunked\r\n\r\n40000000\r\n")
    coming.add(b"x" * MOST_BODY)
    assert not coming.is_whole()
    coming.add(b"x")
    assert coming.is_whole()


def test_chunks_that_are_mostly_frames_are_refused() -> None:
    coming = Arrival()
    coming.add(_HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    coming.add(b"1;%s\r\nx\r\n" % (b"a" * 200) * (2 * MOST_BODY // 206 + 1000))
    assert not coming.is_whole()
    assert coming.refusal(patience=60) == BODY_TOO_LARGE


def test_a_head_that_does_not_end_is_refused() -> None:
    coming = Arrival()
    coming.add(_HEAD + b"X: " + b"x" * (MOST_HEAD - len(_HEAD) - 3))
    assert not coming.is_whole()
    assert coming.refusal(patience=60) is None
    coming.add(b"x")
    assert not coming.is_whole()
    assert coming.refusal(patience=60) == HEAD_TOO_LARGE


def test_time_counts_from_the_first_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("config.arrival.time.monotonic", lambda: now[0])
    coming = Arrival()
    now[0] += 100
    assert coming.refusal(patience=60) is None
    coming.add(b"P")
    now[0] += 60
    coming.add(b"O")
    assert coming.refusal(patience=60) is None
    now[0] += 1
    assert coming.refusal(patience=60) == TOO_SLOW


@pytest.mark.parametrize(
    ("framing", "body", "invites"),
    [
        (b"Content-Length: 5\r\n", b"", True),
        (b"Transfer-Encoding: chunked\r\n", b"", True),
        (b"Content-Length: 5\r\n", b"a", False),
        (b"Content-Length: 0\r\n", b"", False),
        (b"Content-Length: 99000000\r\n", b"", False),
        (b"", b"", False),
    ],
)
def test_who_waits_to_be_asked_is_asked_once(framing: bytes, body: bytes, invites: bool) -> None:
    coming = Arrival()
    coming.add(_HEAD + b"Expect: 100-continue\r\n" + framing + b"\r\n" + body)
    coming.is_whole()
    assert coming.take_invitation() is invites
    assert not coming.take_invitation()


@pytest.mark.parametrize(
    "head",
    [_HEAD, _HEAD.replace(b"1.1", b"1.0") + b"Expect: 100-continue\r\n"],
    ids=["not waiting", "of HTTP/1.0"],
)
def test_who_does_not_wait_to_be_asked_is_not(head: bytes) -> None:
    coming = Arrival()
    coming.add(head + b"Content-Length: 5\r\n\r\n")
    assert not coming.is_whole()
    assert not coming.take_invitation()
