"""What the company's service receives: the partner's own text, its origin, and two signatures."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from callbacks import signing
from crypto_schemes.errors import KeyUnavailableError
from flows_endpoint.backends import Answer, Call
from flows_endpoint.backends.upstream import UpstreamBackend
from flows_endpoint.exchange import Reason, Refusal
from tenants import lifecycle
from tenants.actors import Actor
from tenants.lifecycle import IssuedFlow
from tests.support.receiver import Received, Receiver, Reply

MakeCall = Callable[..., Call]
pytestmark = pytest.mark.django_db
UPSTREAM = UpstreamBackend()
RAW = b'{ "b":1.50,"a":"\xc3\xa9\\u00e9" }'


@pytest.fixture(autouse=True)
def _answers_json(receiver: Receiver) -> None:
    receiver.default = Reply(body=b"{}")


def context(request: Received, **changed: str) -> str:
    headers = {**request.headers, **changed}
    return json.dumps(
        [
            "sealgate-upstream",
            headers["sealgate-client"],
            headers["sealgate-flow"],
            headers["sealgate-scheme"],
            headers["sealgate-operation"],
            headers.get("sealgate-details", ""),
            hashlib.sha256(request.body).hexdigest(),
        ],
        separators=(",", ":"),
    )


def check(secret: str, request: Received, content: str) -> None:
    names = ("webhook-id", "webhook-timestamp")
    headers: dict[str, str] = {name: request.headers[name] for name in names}
    headers["webhook-signature"] = request.headers["sealgate-signature"]
    Webhook(secret).verify(content, headers)


def test_it_is_the_exact_text_with_everything_about_it(
    issued: IssuedFlow, make_call: MakeCall, receiver: Receiver
) -> None:
    receiver.next(Reply(body=b'{"ok":[1,2.50,"\\u00e9"]}'))
    answer = UPSTREAM.handle(make_call(raw=RAW, details={"id": "é1", "n": [1]}))
    assert answer == Answer({"ok": [1, 2.5, "é"]})
    (request,) = receiver.requests
    assert (request.method, request.target) == ("POST", "/sealgate?key=s3cr3t")
    assert request.body == RAW
    headers = dict(request.headers)
    signatures = {headers.pop(name) for name in ("webhook-signature", "sealgate-signature")}
    assert len(signatures) == 2
    assert abs(int(headers.pop("webhook-timestamp")) - time.time()) < 5
    details = headers.pop("sealgate-details")
    assert base64.b64decode(details) == b'{"id":"\\u00e91","n":[1]}'
    assert headers == {
        "host": f"127.0.0.1:{receiver.port}",
        "accept-encoding": "identity",
        "content-length": str(len(RAW)),
        "content-type": "application/json",
        "user-agent": "Sealgate-Upstream/1",
        "x-request-id": "req-12345678",
        "webhook-id": "req-12345678",
        "sealgate-client": "acme",
        "sealgate-flow": str(issued.flow.pk),
        "sealgate-scheme": "citcall",
        "sealgate-operation": "asynccall",
    }


def test_the_body_is_signed_for_any_library(
    issued: IssuedFlow, make_call: MakeCall, receiver: Receiver
) -> None:
    UPSTREAM.handle(make_call(raw=RAW))
    (request,) = receiver.requests
    Webhook(issued.upstream_secret).verify(request.body, dict(request.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(issued.upstream_secret).verify(request.body + b" ", dict(request.headers))


def test_everything_is_signed_together(
    issued: IssuedFlow, make_call: MakeCall, receiver: Receiver
) -> None:
    UPSTREAM.handle(make_call(raw=RAW, details={"id": "1"}))
    UPSTREAM.handle(make_call(raw=RAW))
    first, second = receiver.requests
    check(issued.upstream_secret, first, context(first))
    check(issued.upstream_secret, second, context(second))
    assert "sealgate-details" not in second.headers
    for name in (
        "sealgate-client",
        "sealgate-flow",
        "sealgate-scheme",
        "sealgate-operation",
        "sealgate-details",
    ):
        with pytest.raises(WebhookVerificationError):
            check(issued.upstream_secret, first, context(first, **{name: "other"}))
    with pytest.raises(WebhookVerificationError):
        check(issued.upstream_secret, second, context(first))


def test_the_secret_that_partners_have_checks_no_call(
    issued: IssuedFlow, make_call: MakeCall, receiver: Receiver
) -> None:
    UPSTREAM.handle(make_call(raw=b'{"rc":"00"}'))
    (request,) = receiver.requests
    with pytest.raises(WebhookVerificationError):
        check(issued.callback_secret, request, context(request))
    with pytest.raises(WebhookVerificationError):
        Webhook(issued.callback_secret).verify(request.body, dict(request.headers))


def test_a_partner_cannot_pass_a_call_off_as_ours(
    issued: IssuedFlow, make_call: MakeCall, receiver: Receiver
) -> None:
    UPSTREAM.handle(make_call(raw=b'{"rc":"00"}'))
    (request,) = receiver.requests
    credentials = make_call().flow.credentials()
    moment, content = int(request.headers["webhook-timestamp"]), context(request)
    forged = signing.signatures(credentials, "req-12345678", moment, content.encode())
    passed_off = replace(request, headers={**request.headers, "sealgate-signature": forged})
    with pytest.raises(WebhookVerificationError):
        check(issued.upstream_secret, passed_off, content)


def test_the_signature_of_the_body_does_not_sign_the_whole(
    issued: IssuedFlow, make_call: MakeCall, receiver: Receiver
) -> None:
    UPSTREAM.handle(make_call(raw=b'{"rc":"00"}'))
    (request,) = receiver.requests
    headers = {**request.headers, "sealgate-signature": request.headers["webhook-signature"]}
    passed_off = replace(request, headers=headers)
    with pytest.raises(WebhookVerificationError):
        check(issued.upstream_secret, passed_off, context(passed_off))


def test_during_a_rollover_old_and_new_secret_check(
    issued: IssuedFlow, make_call: MakeCall, receiver: Receiver, actor: Actor
) -> None:
    staged = lifecycle.generate_key(actor, issued.flow, "upstream_signing")
    UPSTREAM.handle(make_call())
    lifecycle.promote_key(actor, staged.key, overlap=timedelta(days=1))
    UPSTREAM.handle(make_call())
    for request in receiver.requests:
        for secret in (issued.upstream_secret, staged.secret):
            check(secret, request, context(request))


def test_the_callback_secret_has_no_part_in_it(
    issued: IssuedFlow, make_call: MakeCall, receiver: Receiver, actor: Actor
) -> None:
    for key in issued.flow.keys.filter(purpose="callback_signing"):
        lifecycle.revoke_key(actor, key, reason="leaked")
    UPSTREAM.handle(make_call())
    (request,) = receiver.requests
    check(issued.upstream_secret, request, context(request))


def test_without_a_secret_nothing_is_sent(
    issued: IssuedFlow, make_call: MakeCall, receiver: Receiver, actor: Actor
) -> None:
    for key in issued.flow.keys.filter(purpose="upstream_signing"):
        lifecycle.revoke_key(actor, key, reason="leaked")
    with pytest.raises(KeyUnavailableError):
        UPSTREAM.handle(make_call())
    assert receiver.requests == []


@pytest.mark.parametrize("operation", ['a"b', "a\\b", "a\nb", "é"])
def test_what_could_be_read_in_two_ways_is_not_signed(
    operation: str, make_call: MakeCall, receiver: Receiver
) -> None:
    with pytest.raises(Refusal) as caught:
        UPSTREAM.handle(make_call(operation=operation))
    assert caught.value.reason is Reason.INTERNAL
    assert receiver.requests == []


def test_objects_for_backends_of_this_process_stay_here(
    make_call: MakeCall, receiver: Receiver
) -> None:
    details: dict[str, Any] = {"id": "1", "user": object()}
    UPSTREAM.handle(make_call(details=details))
    UPSTREAM.handle(make_call(details={"user": object()}))
    first, second = receiver.requests
    assert base64.b64decode(first.headers["sealgate-details"]) == b'{"id":"1"}'
    assert "sealgate-details" not in second.headers


def test_a_request_without_a_body_is_posted_too(make_call: MakeCall, receiver: Receiver) -> None:
    UPSTREAM.handle(make_call(raw=b""))
    assert (receiver.requests[0].method, receiver.requests[0].body) == ("POST", b"")
