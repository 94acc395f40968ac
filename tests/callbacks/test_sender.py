"""One attempt: sealed by the contract, signed, posted, judged; whatever happens is a result."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from callbacks import sender
from callbacks.channels import Message, Result
from callbacks.models import Delivery
from callbacks.transport import TimeLimits, Transport
from crypto_schemes import registry
from crypto_schemes.errors import KeyMaterialError
from tenants import lifecycle
from tenants.actors import Actor
from tenants.keyring import keyring
from tenants.lifecycle import IssuedFlow
from tenants.models import Flow
from tests.callbacks.outbox import change, put
from tests.support.receiver import Received, Receiver, Reply

Make = Callable[..., IssuedFlow]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("outbound")]


def attempt(delivery: Delivery) -> Result:
    claimed = change(delivery)
    prepared = sender.prepare(claimed)
    return sender.post(claimed, prepared)[0] if isinstance(prepared, Message) else prepared


def opened(flow: Flow, request: Received) -> Any:
    snapshot = keyring.by_flow_id(str(flow.pk))
    assert snapshot is not None
    return registry.get(flow.scheme).open_callback(
        request.body, request.headers, snapshot.credentials(), snapshot.options, now=time.time()
    )


@pytest.mark.parametrize(
    ("scheme", "options", "reply"),
    [
        ("citcall", {"callback_body": "plain"}, b""),
        ("citcall", {"callback_body": "sealed"}, b"thanks"),
        ("kairos", {}, b"<html>"),
        ("isu", {"callback_body": "plain"}, b'{"status":0}'),
        ("isu", {"callback_body": "sealed"}, b'{"status":"0"}'),
        ("whatsapp_flows", {}, b""),
    ],
)
def test_the_partner_gets_what_the_contract_says_and_can_check_it(
    scheme: str, options: dict[str, Any], reply: bytes, make_flow: Make, receiver: Receiver
) -> None:
    issued = make_flow(scheme, options=options, callback_url=receiver.url + "/hook?k=1")
    payload = {"rc": "00", "name": "Zoë", "list": [1, 2.5, None]}
    delivery = put(issued.flow, payload)
    receiver.next(Reply(body=reply))
    assert attempt(delivery) == Result(status=200)
    (request,) = receiver.requests
    assert (request.method, request.target) == ("POST", "/hook?k=1")
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == "Sealgate-Callbacks/1"
    assert request.headers["webhook-id"] == str(delivery.pk)
    assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 5
    Webhook(issued.callback_secret).verify(request.body, dict(request.headers), json_parse=False)
    assert opened(issued.flow, request) == payload
    if options.get("callback_body") == "sealed":
        assert b'"rc"' not in request.body


def test_basic_authentication_goes_with_it(
    make_flow: Make, actor: Actor, receiver: Receiver
) -> None:
    flow = make_flow(
        "kairos", options={"callback_username": "bank"}, callback_url=receiver.url
    ).flow
    assert attempt(put(flow)) == Result(error="no_usable_key")
    assert receiver.requests == []
    lifecycle.import_key(actor, flow, "callback_basic_password", b"pass-word-1")
    assert attempt(put(flow)) == Result(status=200)
    sent = receiver.requests[0].headers["authorization"]
    assert sent == "Basic " + base64.b64encode(b"bank:pass-word-1").decode()


def test_each_attempt_is_sealed_anew_under_the_same_id(
    make_flow: Make, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = make_flow("isu", options={"callback_body": "sealed"}, callback_url=receiver.url).flow
    delivery = put(flow)
    receiver.default = Reply(body=b'{"status":0}')
    assert attempt(delivery).is_delivered
    later = time.time() + 30
    monkeypatch.setattr("callbacks.sender.time.time", lambda: later)
    assert attempt(delivery).is_delivered
    first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    for name in ("webhook-timestamp", "webhook-signature", "header_secrets"):
        assert first.headers[name] != second.headers[name]
    assert first.body != second.body


def test_during_a_rollover_old_and_new_secret_check(
    make_flow: Make, actor: Actor, receiver: Receiver
) -> None:
    issued = make_flow("citcall", callback_url=receiver.url)
    staged = lifecycle.generate_key(actor, issued.flow, "callback_signing")
    both = [issued.callback_secret, staged.secret]
    attempt(put(issued.flow))
    lifecycle.promote_key(actor, staged.key, overlap=timedelta(days=1))
    attempt(put(issued.flow))
    for request in receiver.requests:
        assert request.headers["webhook-signature"].count("v1,") == 2
        for secret in both:
            Webhook(secret).verify(request.body, dict(request.headers), json_parse=False)


@pytest.mark.parametrize(
    ("reply", "result"),
    [
        (Reply(status=204), Result(status=204)),
        (Reply(status=299, body=b"x"), Result(status=299)),
        (Reply(status=301, headers={"Location": "/x"}), Result(status=301, error="http_301")),
        (Reply(status=404), Result(status=404, error="http_404")),
        (
            Reply(status=410),
            Result(status=410, error="http_410", is_permanent=True, disables=True),
        ),
        (Reply(status=408), Result(status=408, error="http_408", is_outage=True)),
        (
            Reply(status=429, headers={"Retry-After": "90"}),
            Result(status=429, error="http_429", is_outage=True, rest=timedelta(seconds=90)),
        ),
        (Reply(status=400, headers={"Retry-After": "90"}), Result(status=400, error="http_400")),
        (
            Reply(status=500, body=b"stack"),
            Result(status=500, error="http_500", is_outage=True),
        ),
        (Reply(hang_up=True), Result(error="protocol", is_outage=True)),
        (Reply(body=b"x" * 300_000), Result(status=200, error="too_large")),
        (Reply(body=b"x" * 9, cut=3), Result(status=200, error="protocol", is_outage=True)),
    ],
)
def test_a_2xx_read_to_its_end_is_success_and_nothing_else(
    reply: Reply, result: Result, make_flow: Make, receiver: Receiver
) -> None:
    receiver.next(reply)
    assert attempt(put(make_flow("citcall", callback_url=receiver.url).flow)) == result
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("body", [b"", b"ok", b'{"status":1}', b'{"status":false}', b"[0]"])
def test_where_the_contract_has_an_acknowledgement_only_that_counts(
    body: bytes, make_flow: Make, receiver: Receiver
) -> None:
    receiver.next(Reply(body=body))
    delivery = put(make_flow("isu", callback_url=receiver.url).flow)
    assert attempt(delivery) == Result(status=200, error="not_acknowledged")


@pytest.mark.parametrize("how", ["plain", "sealed"])
def test_an_answer_that_repeats_the_body_is_kept_without_its_values(
    make_flow: Make, receiver: Receiver, how: str
) -> None:
    options = {"callback_body": how}
    issued = make_flow("citcall", options=options, callback_url=receiver.url)
    delivery = change(put(issued.flow, {"name": "Marigold", "digits": "4711"}))
    message = sender.prepare(delivery)
    assert isinstance(message, Message)
    receiver.next(Reply(status=400, body=b'{"name":"Marigold"} 4711 in ' + message.body))
    _, call = sender.post(delivery, message)
    assert call is not None
    assert call.answer.startswith(b'{"name":"[masked]"} [masked] in {"')
    assert call.answer.endswith(b'"[masked]"}')
    assert b"4711" not in call.answer


def test_an_internal_address_is_refused_and_said_why(
    make_flow: Make, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """By this worker: another may have been told of the network, so it is tried again."""
    delivery = put(make_flow("citcall", callback_url="http://127.0.0.1:80/k3y").flow)
    settings.OUTBOUND_ALLOW = []
    result = attempt(delivery)
    assert (result.error, result.is_permanent) == ("refused_address", False)
    assert result.why == (
        "The address is in a loopback range. Use a public one, or list its network in "
        "SEALGATE_OUTBOUND_ALLOW."
    )
    assert f"Delivery {delivery.pk} was not sent: {result.why}" in caplog.messages
    assert "k3y" not in caplog.text


def test_only_a_sandbox_may_be_answered_without_tls(make_flow: Make) -> None:
    url = "http://8.8.8.8/hook"
    sandbox = put(make_flow("citcall", callback_url=url).flow)
    prepared = sender.prepare(change(sandbox))
    assert isinstance(prepared, Message)
    assert not prepared.require_tls
    live = {"backend": "upstream", "upstream_url": "http://127.0.0.1:9/"}
    delivery = put(make_flow("citcall", callback_url=url, **live).flow)
    result = attempt(delivery)
    assert (result.error, result.is_permanent) == ("insecure", False)
    assert "SEALGATE_OUTBOUND_ALLOW" in result.why


def test_a_slow_receiver_is_left(
    make_flow: Make, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "LIMITS", TimeLimits(connect=1, read=0.2, total=0.2))
    receiver.next(Reply(delay=3))
    delivery = put(make_flow("citcall", callback_url=receiver.url).flow)
    assert attempt(delivery) == Result(error="timeout", is_outage=True)


class TestNothingIsSent:
    """What stops before the network is a result that keeps the delivery."""

    @pytest.fixture
    def delivery(self, make_flow: Make, receiver: Receiver) -> Delivery:
        return put(make_flow("citcall", callback_url=receiver.url).flow)

    def stops(self, delivery: Delivery, receiver: Receiver, expected: Result) -> None:
        assert attempt(delivery) == expected
        assert receiver.requests == []
        assert change(delivery).state == "pending"

    def test_a_disabled_flow(self, delivery: Delivery, receiver: Receiver, actor: Actor) -> None:
        lifecycle.update_flow(actor, delivery.flow, {"is_enabled": False})
        self.stops(delivery, receiver, Result(error="flow_disabled"))

    def test_a_url_taken_away(self, delivery: Delivery, receiver: Receiver, actor: Actor) -> None:
        lifecycle.update_flow(actor, delivery.flow, {"callback_url": ""})
        self.stops(delivery, receiver, Result(error="no_callback_url"))

    def test_a_body_of_another_row(self, delivery: Delivery, receiver: Receiver) -> None:
        other = put(delivery.flow, {"n": 2})
        change(delivery, body=bytes(other.body))
        self.stops(delivery, receiver, Result(error="unreadable:not_authentic"))

    def test_a_damaged_body(self, delivery: Delivery, receiver: Receiver) -> None:
        damaged = bytearray(delivery.body)
        damaged[-1] ^= 1
        change(delivery, body=bytes(damaged))
        self.stops(delivery, receiver, Result(error="unreadable:not_authentic"))

    def test_no_signing_secret(self, delivery: Delivery, receiver: Receiver, actor: Actor) -> None:
        for key in delivery.flow.keys.filter(purpose="callback_signing"):
            lifecycle.revoke_key(actor, key, reason="leaked")
        self.stops(delivery, receiver, Result(error="no_usable_key"))

    def test_a_bad_url(self, delivery: Delivery, receiver: Receiver) -> None:
        Flow.objects.filter(pk=delivery.flow_id).update(callback_url="http://user@host/")
        self.stops(delivery, receiver, Result(error="bad_url", is_permanent=True))

    def test_a_round_that_never_came_back(self, delivery: Delivery, receiver: Receiver) -> None:
        change(delivery, step=14)
        self.stops(delivery, receiver, Result(error="worker_lost", is_permanent=True))

    @pytest.mark.parametrize(
        ("raised", "result"),
        [
            (KeyMaterialError("x"), Result(error="bad_key_material")),
            (RuntimeError("s3cr3t"), Result(error="internal:RuntimeError")),
        ],
    )
    def test_a_contract_that_fails(
        self,
        delivery: Delivery,
        receiver: Receiver,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        raised: Exception,
        result: Result,
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise raised

        monkeypatch.setattr(type(registry.get("citcall")), "seal_callback", fail)
        self.stops(delivery, receiver, result)
        assert "s3cr3t" not in caplog.text


def test_an_unexpected_failure_while_sending_is_a_result_too(
    make_flow: Make, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("s3cr3t")

    monkeypatch.setattr(Transport, "post", fail)
    delivery = put(make_flow("citcall", callback_url=receiver.url).flow)
    assert attempt(delivery) == Result(error="internal:RuntimeError")


def test_a_message_shows_nothing_of_itself(make_flow: Make, receiver: Receiver) -> None:
    delivery = put(make_flow("isu", callback_url=receiver.url + "/?k=s3cr3t").flow)
    assert repr(sender.prepare(delivery)) == "Message()"
