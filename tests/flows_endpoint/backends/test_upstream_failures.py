"""When the company's service fails: the reason, the step for the log, and nothing sent twice."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.test import override_settings

from callbacks import transport
from callbacks.errors import Kind
from callbacks.transport import Transport
from flows_endpoint.backends import Answer, Call
from flows_endpoint.backends import upstream as upstream_module
from flows_endpoint.backends.upstream import UpstreamBackend
from flows_endpoint.exchange import Reason, Refusal
from tenants import lifecycle
from tenants.actors import Actor
from tenants.lifecycle import IssuedFlow
from tests.support.receiver import Receiver, Reply

MakeCall = Callable[..., Call]
pytestmark = pytest.mark.django_db
UPSTREAM = UpstreamBackend()


def refused(call: Call) -> tuple[Reason, str]:
    with pytest.raises(Refusal) as caught:
        UPSTREAM.handle(call)
    assert caught.value.__cause__ is None
    assert "s3cr3t" not in f"{caught.value!r}{caught.value.step}"
    return caught.value.reason, caught.value.step


def test_every_kind_of_failure_has_a_reason() -> None:
    assert set(upstream_module._REASON_OF) == set(Kind)


@pytest.mark.parametrize(
    ("reply", "reason", "step"),
    [
        (Reply(status=500, body=b'{"a":1}'), Reason.UPSTREAM_ANSWER, "http_500"),
        (Reply(status=404), Reason.UPSTREAM_ANSWER, "http_404"),
        (Reply(status=302, headers={"Location": "/"}), Reason.UPSTREAM_ANSWER, "http_302"),
        (Reply(status=204), Reason.UPSTREAM_ANSWER, "not_json"),
        (Reply(body=b"<html>"), Reason.UPSTREAM_ANSWER, "not_json"),
        (Reply(body=b'{"a":1,"a":2}'), Reason.UPSTREAM_ANSWER, "not_json"),
        (Reply(body=b"\xff"), Reason.UPSTREAM_ANSWER, "not_json"),
        (Reply(body=b"[" * 200), Reason.UPSTREAM_ANSWER, "not_json"),
        (Reply(hang_up=True), Reason.UPSTREAM_ANSWER, "protocol"),
        (Reply(reset=True), Reason.UPSTREAM_ANSWER, "protocol"),
        (Reply(body=b'{"a":1}', cut=3), Reason.UPSTREAM_ANSWER, "protocol"),
        (Reply(raw=b"what?\r\n\r\n", close=True), Reason.UPSTREAM_ANSWER, "protocol"),
    ],
)
def test_anything_but_a_success_with_json_is_a_bad_answer(
    reply: Reply, reason: Reason, step: str, make_call: MakeCall, receiver: Receiver
) -> None:
    receiver.next(reply)
    assert refused(make_call()) == (reason, step)
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("body", "payload"),
    [(b"null", None), (b"[]", []), (b'"text"', "text"), (b" 1.5 ", 1.5), (b"{}", {})],
)
def test_any_json_with_any_2xx_is_an_answer(
    body: bytes, payload: Any, make_call: MakeCall, receiver: Receiver
) -> None:
    receiver.next(Reply(status=201, body=body, headers={"Content-Type": "text/plain"}))
    assert UPSTREAM.handle(make_call()) == Answer(payload)


def test_an_answer_is_bounded(
    make_call: MakeCall, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upstream_module, "MAX_ANSWER", 10)
    receiver.next(Reply(body=b"[1,2,3,4] "), Reply(body=b"[1,2,3,4,5]"))
    assert UPSTREAM.handle(make_call()) == Answer([1, 2, 3, 4])
    assert refused(make_call()) == (Reason.UPSTREAM_ANSWER, "too_large")


@pytest.mark.parametrize(
    ("url", "step"),
    [
        ("http://127.0.0.1:1/", "connect"),
        ("https://127.0.0.1:{port}/", "tls"),
        ("http://10.255.255.1/?s3cr3t", "refused_address"),
        ("http://8.8.8.8:6379/", "refused_address"),
    ],
)
def test_a_service_that_cannot_be_reached_is_down(
    url: str,
    step: str,
    issued: IssuedFlow,
    make_call: MakeCall,
    receiver: Receiver,
    actor: Actor,
) -> None:
    changes = {"upstream_url": url.format(port=receiver.port)}
    with override_settings(OUTBOUND_ALLOW=["0.0.0.0/0"]):  # when it was typed in
        lifecycle.update_flow(actor, issued.flow, changes)
    assert refused(make_call()) == (Reason.UPSTREAM_DOWN, step)
    assert receiver.requests == []


def test_a_name_that_turns_internal_is_down(
    issued: IssuedFlow, make_call: MakeCall, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = Transport(resolve=lambda host, seconds: ["169.254.169.254"])
    monkeypatch.setattr(transport, "shared", client)
    lifecycle.update_flow(actor, issued.flow, {"upstream_url": "https://orders.example/"})
    assert refused(make_call()) == (Reason.UPSTREAM_DOWN, "refused_address")


@pytest.mark.parametrize(
    "reply",
    [Reply(delay=5), Reply(body=b" " * 400, drip=0.05), Reply(drip=0.05, drip_head=True)],
    ids=["silent", "dripping body", "dripping head"],
)
def test_a_service_that_takes_its_time_is_slow(
    reply: Reply, make_call: MakeCall, receiver: Receiver, settings: Any
) -> None:
    settings.UPSTREAM_CONNECT_SECONDS = 0.5
    settings.UPSTREAM_READ_SECONDS = 0.5
    receiver.next(reply)
    started = time.monotonic()
    assert refused(make_call()) == (Reason.UPSTREAM_SLOW, "timeout")
    assert time.monotonic() - started < 2.5
    assert len(receiver.requests) == 1


def test_connections_are_kept_between_requests(make_call: MakeCall, receiver: Receiver) -> None:
    receiver.default = Reply(body=b"{}")
    for _ in range(3):
        UPSTREAM.handle(make_call())
    assert receiver.connections == 1
