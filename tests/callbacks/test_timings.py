"""Where the time of a call went, also of one that failed."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from callbacks.errors import Kind, TransportError
from callbacks.transport import Transport
from tests.callbacks.conftest import Post
from tests.support.certificates import Authority
from tests.support.receiver import Receiver, Reply

pytestmark = pytest.mark.once


def test_a_fresh_connection_and_a_kept_one(post: Post, receiver: Receiver) -> None:
    receiver.default = Reply(delay=0.1, body=b"x" * 5, drip=0.02)
    first = post(receiver.url_at("localhost")).timings
    assert first.dns is not None
    assert first.connect is not None
    assert first.tls is None
    assert first.first_byte is not None
    assert first.rest is not None
    assert first.first_byte >= 90
    assert first.rest >= 60
    phases = (first.dns, first.connect, first.first_byte, first.rest)
    assert sum(phases) <= first.total <= sum(phases) + 50
    second = post(receiver.url_at("localhost")).timings
    assert (second.dns, second.connect, second.tls) == (None, None, None)
    assert second.first_byte is not None
    assert second.first_byte >= 90


def test_an_address_needs_no_look_up(post: Post, receiver: Receiver) -> None:
    times = post(receiver.url).timings
    assert times.dns is None
    assert times.connect is not None


def test_tls_is_a_phase_of_its_own(authority: Authority, outbound: Transport, post: Post) -> None:
    with Receiver(tls=authority.server_context("localhost")) as receiver:
        times = post(receiver.url_at("localhost")).timings
    assert times.tls is not None
    assert times.tls > 0
    assert times.first_byte is not None


def test_a_failure_says_how_far_it_came(post: Post, receiver: Receiver) -> None:
    receiver.next(Reply(delay=3))
    with pytest.raises(TransportError) as caught:
        post(receiver.url, read=0.3, total=0.3)
    times = caught.value.timings
    assert times.connect is not None
    assert times.first_byte is not None
    assert times.first_byte >= 200
    assert times.rest is None
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(TransportError) as caught:
            post(f"http://127.0.0.1:{unused.getsockname()[1]}/")
    times = caught.value.timings
    assert (times.first_byte, times.dns) == (None, None)
    assert times.connect is not None


class TestPlainHttp:
    """Plain HTTP goes to allow-listed networks only where TLS is required."""

    def send(self, via: Transport, url: str, *, require_tls: bool) -> Any:
        from callbacks.sender import LIMITS  # noqa: PLC0415

        return via.post(url, b"{}", {}, limits=LIMITS, max_answer=99, require_tls=require_tls)

    def test_inside_an_allowed_network_it_may_go(
        self, outbound: Transport, receiver: Receiver
    ) -> None:
        assert self.send(outbound, receiver.url, require_tls=True).status == 200

    @pytest.mark.parametrize("url", ["http://8.8.8.8/", "http://partner.example/"])
    def test_elsewhere_it_is_refused_before_anything_is_dialled(self, url: str) -> None:
        via = Transport(resolve=lambda host, seconds: ["8.8.8.8"])
        with pytest.raises(TransportError) as caught:
            self.send(via, url, require_tls=True)
        assert (caught.value.kind, caught.value.permanent) == (Kind.INSECURE, False)
        assert "https" in str(caught.value)

    def test_a_connection_kept_from_a_call_that_might_serves_none_that_may_not(
        self, receiver: Receiver, settings: Any
    ) -> None:
        via = Transport(resolve=lambda host, seconds: ["127.0.0.1"])
        url = receiver.url_at("partner.example")
        assert self.send(via, url, require_tls=False).status == 200
        settings.OUTBOUND_ALLOW = []
        with pytest.raises(TransportError):
            self.send(via, url, require_tls=True)
        assert len(receiver.requests) == 1
        via.forget_connections()

    def test_one_public_address_among_allowed_ones_is_enough_to_refuse(self) -> None:
        via = Transport(resolve=lambda host, seconds: ["127.0.0.1", "8.8.8.8"])
        with pytest.raises(TransportError) as caught:
            self.send(via, "http://partner.example/", require_tls=True)
        assert caught.value.kind is Kind.INSECURE
