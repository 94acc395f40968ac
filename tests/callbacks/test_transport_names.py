"""What a name resolves to is judged once, at the dial, and that very address is dialled.

A real name server on UDP changes its answer between look-ups. 127.0.0.5 is allow-listed here,
127.0.0.1 stands for everything internal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from callbacks.errors import Kind, TransportError
from callbacks.transport import HttpAnswer, Transport
from tests.support.certificates import Authority
from tests.support.name_server import NameServer
from tests.support.receiver import Receiver, Reply

pytestmark = pytest.mark.once

Post = Callable[..., HttpAnswer]
ALLOWED, INTERNAL = "127.0.0.5", "127.0.0.1"


@pytest.fixture(autouse=True)
def _one_address_allowed(settings: Any) -> None:
    settings.OUTBOUND_ALLOW = [f"{ALLOWED}/32"]


def refused(post: Post, url: str, client: Transport) -> TransportError:
    with pytest.raises(TransportError) as caught:
        post(url, via=client)
    assert caught.value.kind is Kind.REFUSED_ADDRESS
    return caught.value


def test_an_answer_that_changes_after_the_check_changes_nothing(post: Post) -> None:
    with (
        NameServer([ALLOWED], [INTERNAL]) as names,
        Receiver(ALLOWED) as good,
        Receiver(INTERNAL) as bad,
    ):
        client = Transport(resolve=names.resolve)
        good.next(Reply(close=True))
        assert post(good.url_at("rebind.example"), via=client).status == 200
        assert names.asked == ["rebind.example"]  # checked and dialled on one answer
        assert good.requests[0].headers["host"] == f"rebind.example:{good.port}"
        # The next connection looks up again, finds the internal address and is not made.
        refused(post, good.url_at("rebind.example"), client)
        refused(post, bad.url_at("rebind.example"), client)
        assert names.asked == ["rebind.example"] * 3
        assert len(good.requests) == 1
        assert bad.connections == 0


def test_a_kept_connection_stays_with_the_address_it_was_made_to(post: Post) -> None:
    with (
        NameServer([ALLOWED], [INTERNAL]) as names,
        Receiver(ALLOWED) as good,
    ):
        client = Transport(resolve=names.resolve)
        for _ in range(3):
            assert post(good.url_at("rebind.example"), via=client).status == 200
        assert names.asked == ["rebind.example"]
        assert good.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        [INTERNAL],
        [ALLOWED, INTERNAL],
        [INTERNAL, ALLOWED],
        ["169.254.169.254"],
        ["0.0.0.0"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["2002:7f00:1::1"],
        [ALLOWED, "fd00::1"],
    ],
)
def test_internal_answers_are_refused_before_a_byte_leaves(answer: list[str], post: Post) -> None:
    with NameServer(answer) as names, Receiver(INTERNAL) as bad:
        error = refused(post, bad.url_at("evil.example"), Transport(resolve=names.resolve))
        assert not error.permanent  # the name may be mended
        assert bad.connections == 0


@pytest.mark.parametrize(
    "host", [INTERNAL, "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "localhost"]
)
def test_internal_hosts_are_refused(host: str, post: Post) -> None:
    with Receiver(INTERNAL) as bad:
        refused(post, bad.url_at(host), Transport())
        assert bad.connections == 0


def test_a_redirect_is_no_way_around(post: Post) -> None:
    with Receiver(ALLOWED) as good, Receiver(INTERNAL) as bad:
        good.next(Reply(status=302, headers={"Location": bad.url + "/"}))
        assert post(good.url).status == 302
        assert bad.connections == 0


def test_a_mapped_form_of_an_allowed_address_is_that_address(post: Post) -> None:
    with Receiver(ALLOWED) as good:
        assert post(good.url_at("[::ffff:127.0.0.5]")).status == 200


def test_tls_is_checked_for_the_name_not_the_address(authority: Authority, post: Post) -> None:
    trusting = authority.client_context()
    with (
        NameServer([ALLOWED]) as names,
        Receiver(ALLOWED, tls=authority.server_context("good.example")) as good,
    ):
        client = Transport(resolve=names.resolve, tls=trusting)
        assert post(good.url_at("good.example"), via=client).status == 200
        with pytest.raises(TransportError, match="CERTIFICATE_VERIFY_FAILED") as caught:
            post(good.url_at("other.example"), via=client)
        assert (caught.value.kind, caught.value.permanent) == (Kind.TLS, False)
        with pytest.raises(TransportError) as caught:
            post(good.url, via=client)  # by address: no such name in the certificate
        assert caught.value.kind is Kind.TLS
        assert len(good.requests) == 1
