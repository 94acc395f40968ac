"""HTTPS to verified receivers only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from callbacks.errors import Kind, TransportError
from callbacks.transport import HttpAnswer, Transport
from tests.support.certificates import Authority
from tests.support.receiver import Receiver, Reply

pytestmark = pytest.mark.once

Post = Callable[..., HttpAnswer]


def test_verified_connections_are_kept_and_used_again(authority: Authority, post: Post) -> None:
    context = authority.server_context("localhost", "127.0.0.1")
    with Receiver(tls=context) as receiver:
        receiver.default = Reply(body=b"x" * 5000)
        assert [post(receiver.url).status for _ in range(3)] == [200, 200, 200]
        assert post(receiver.url_at("localhost"), b"y" * 100_000).body == b"x" * 5000
        assert [request.connection for request in receiver.requests] == [1, 1, 1, 2]
        assert receiver.requests[3].body == b"y" * 100_000


def test_a_kept_tls_connection_the_peer_closed_is_replaced(
    authority: Authority, post: Post
) -> None:
    with Receiver(tls=authority.server_context("127.0.0.1")) as receiver:
        post(receiver.url)
        receiver.drop_connections()
        assert post(receiver.url).status == 200
        assert [request.connection for request in receiver.requests] == [1, 2]


@pytest.mark.parametrize("case", ["unknown authority", "expired", "another name"])
def test_a_certificate_that_does_not_verify_stops_before_the_request(
    case: str, authority: Authority, post: Post, tmp_path: Path
) -> None:
    context = {
        "unknown authority": lambda: Authority(tmp_path).server_context("127.0.0.1"),
        "expired": lambda: authority.server_context("127.0.0.1", expired=True),
        "another name": lambda: authority.server_context("other.example"),
    }[case]()
    with Receiver(tls=context) as receiver:
        with pytest.raises(TransportError, match="CERTIFICATE_VERIFY_FAILED") as caught:
            post(receiver.url)
        assert (caught.value.kind, caught.value.permanent) == (Kind.TLS, False)
        assert receiver.requests == []


def test_the_systems_certificates_do_not_vouch_for_the_tests_authority(
    authority: Authority, post: Post
) -> None:
    with Receiver(tls=authority.server_context("127.0.0.1")) as receiver:
        with pytest.raises(TransportError) as caught:
            post(receiver.url, via=Transport())
        assert caught.value.kind is Kind.TLS


def test_plain_http_behind_https_is_a_failure_of_tls(receiver: Receiver, post: Post) -> None:
    with pytest.raises(TransportError) as caught:
        post(f"https://127.0.0.1:{receiver.port}/")
    assert caught.value.kind is Kind.TLS
    assert receiver.requests == []


def test_https_behind_plain_http_is_an_error_of_the_protocol(
    authority: Authority, post: Post
) -> None:
    with Receiver(tls=authority.server_context("127.0.0.1")) as receiver:
        with pytest.raises(TransportError) as caught:
            post(f"http://127.0.0.1:{receiver.port}/")
        assert caught.value.kind is Kind.PROTOCOL
        assert receiver.requests == []
