"""The demo's receiver takes what is signed, once, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
import standardwebhooks
import urllib3

from script.partner_demo.receiver import Inbox, Receiver

_SECRET = "whsec_" + "c2VhbGdhdGUtZGVtby1zZWNyZXQh"
_BODY = b'{"call":"ended"}'


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def inbox(receiver: Receiver) -> Inbox:
    inbox = receiver.inbox("/callbacks/kairos")
    inbox.secret, inbox.reply = _SECRET, b'{"status":0}'
    return inbox


def _signed(
    message_id: str = "msg-1", *, secret: str = _SECRET, body: bytes = _BODY, late: int = 0
) -> dict[str, str]:
    at = datetime.now(UTC) - timedelta(seconds=late)
    signature = standardwebhooks.Webhook(secret).sign(message_id, at, body.decode())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }


def _post(url: str, headers: dict[str, str], body: bytes = _BODY) -> tuple[int, bytes]:
    reply = urllib3.request("POST", url, body=body, headers=headers, retries=False)
    return reply.status, reply.data


def test_a_signed_callback_is_taken_and_answered(receiver: Receiver, inbox: Inbox) -> None:
    assert _post(receiver.url(inbox), _signed()) == (200, b'{"status":0}')
    taken = inbox.wait(1, lambda callback: callback.body == _BODY)
    assert taken is not None
    assert taken.id == "msg-1"


def test_a_repeated_delivery_counts_once(receiver: Receiver, inbox: Inbox) -> None:
    first, again = _signed(late=20), _signed()
    assert _post(receiver.url(inbox), first)[0] == 200
    assert _post(receiver.url(inbox), again)[0] == 200
    taken = inbox.wait(1, lambda _: True)
    assert taken is not None
    assert taken.headers["webhook-timestamp"] == first["webhook-timestamp"]


def test_one_of_two_signatures_is_enough_during_a_rollover(
    receiver: Receiver, inbox: Inbox
) -> None:
    headers = _signed()
    headers["webhook-signature"] = "v1,AAAA " + headers["webhook-signature"]
    assert _post(receiver.url(inbox), headers)[0] == 200


# Made when the test runs: a time stamp is good for five minutes.
@pytest.mark.parametrize(
    ("make", "why"),
    [
        (dict[str, str], "the header webhook-id is missing"),
        (
            lambda: {**_signed(), "webhook-signature": ""},
            "the header webhook-signature is missing",
        ),
        (lambda: _signed(late=400), "webhook-timestamp is more than 300 seconds off"),
        (
            lambda: {**_signed(), "webhook-timestamp": "soon"},
            "webhook-timestamp is more than 300 seconds off",
        ),
        (
            lambda: _signed(body=b'{"call":"begun"}'),
            "webhook-signature does not fit the body",
        ),
        (
            lambda: _signed(secret="whsec_" + "b3RoZXItc2VjcmV0LW90aGVyLXNl"),
            "webhook-signature does not fit the body",
        ),
        (lambda: {**_signed(), "webhook-id": "msg-2"}, "webhook-signature does not fit the body"),
    ],
)
def test_what_is_not_signed_is_refused(
    receiver: Receiver, inbox: Inbox, make: Callable[[], dict[str, str]], why: str
) -> None:
    assert _post(receiver.url(inbox), make()) == (401, b"")
    assert inbox.refused == [why]
    assert inbox.wait(0, lambda _: True) is None


def test_other_addresses_and_large_bodies_are_refused(receiver: Receiver, inbox: Inbox) -> None:
    url = receiver.url(inbox)
    assert _post(url + "/more", _signed())[0] == 404
    large = b" " * (1024 * 1024 + 1)
    reply = urllib3.request(
        "POST", url, headers={"content-length": str(len(large))}, body=b"", retries=False
    )
    assert reply.status == 413
    assert inbox.wait(0, lambda _: True) is None
