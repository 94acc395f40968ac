"""Behind the gateway something else than the sandbox: what it gets, and what passes back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from flows_endpoint.backends.base import Answer, Backend, Call
from flows_endpoint.kairos.models import OutboundCall
from flows_endpoint.models import ExchangeRow, ReplayMark
from tests.flows_endpoint.kairos.partner import (
    DIALER_SEALED,
    PLAIN,
    PULL,
    SEALED,
    Partner,
    a_call,
    counts,
)

pytestmark = pytest.mark.django_db
Make = Callable[..., Partner]

seen: list[Call] = []
answers: list[Any] = []


class Recording(Backend):
    """Remembers what it was asked, answers what it was given."""

    def handle(self, call: Call) -> Answer:
        seen.append(call)
        return Answer(answers[-1])


@pytest.fixture
def own(make_partner: Make) -> Partner:
    seen.clear()
    answers[:] = [{"done": True}]
    return make_partner(backend="python", backend_class=f"{__name__}.{Recording.__name__}")


@pytest.mark.parametrize(
    ("path", "operation"),
    [
        (PLAIN, "outbound.create"),
        (SEALED, "outbound.create"),
        (DIALER_SEALED, "outbounddialer.create"),
    ],
)
def test_it_gets_the_opened_text_and_the_checked_calls(
    own: Partner, path: str, operation: str
) -> None:
    raw = json.dumps(own.request(a_call("good"), a_call("bad", "1")), indent=2).encode()
    reply = own.post(path, own.seal_text(raw) if "/enc/" in path else raw)
    assert reply.content == b'{"done":true}'
    (call,) = seen
    assert (call.raw, call.operation) == (raw, operation)
    assert call.payload == json.loads(raw)
    assert [planned.client_identifier for planned in call.details["accepted"]] == ["good"]
    assert call.details["rejected"] == 1
    assert call.details["is_test"] is False
    assert call.details["is_dialer"] is (path == DIALER_SEALED)
    assert not OutboundCall.objects.exists()
    assert ReplayMark.objects.count() == 1


def test_it_is_not_asked_for_what_a_rule_refuses(own: Partner) -> None:
    for payload in (
        own.request(calls=[]),
        own.request(**{"security-id": "x"}),
        own.request(a_call("x", "1")),
    ):
        own.sealed(payload)
    assert seen == []


def test_its_errors_pass_as_they_are_and_accept_nothing(own: Partner) -> None:
    answers[:] = [
        {"api-response-code": 304, "api-response-message": "Invalid Flow Version", "x": 1}
    ]
    before = counts()
    for _ in range(2):
        reply = own.post(SEALED, own.seal(own.request()))
        assert reply.content == (
            b'{"api-response-code":304,"api-response-message":"Invalid Flow Version","x":1}'
        )
    assert counts() == before
    assert {row.code for row in ExchangeRow.objects.all()} == {"304"}
    assert len(seen) == 2


def test_its_successes_are_accepted_once(own: Partner) -> None:
    answers[:] = [{"api-response-code": 200, "request-id": "own"}]
    assert own.sealed(own.request()) == {"api-response-code": 200, "request-id": "own"}
    assert own.sealed(own.request())["api-response-code"] == 201
    assert len(seen) == 1


@pytest.mark.parametrize(
    "answer", [None, [], "text", 5, {}, {"api-response-code": [200]}], ids=repr
)
def test_any_json_passes(own: Partner, answer: Any) -> None:
    answers[:] = [answer]
    assert own.sealed(own.request()) == answer


def test_what_is_not_json_is_a_failure(own: Partner) -> None:
    for answer in (object(), {"api-response-code": 207, "x": object()}, float("nan")):
        answers[:] = [answer]
        before = counts()
        assert own.sealed(own.request())["api-response-code"] == 500
        assert counts() == before


def test_pull_goes_to_it_too(own: Partner) -> None:
    answers[:] = [
        {"api-response-code": 213, "api-response-message": "No Data Available", "data": []}
    ]
    assert own.pull(["a"]) == answers[0]
    assert (seen[0].operation, seen[0].details["last_only"]) == ("outbound.pull", False)


def test_mirrored_status_of_its_errors(make_partner: Make) -> None:
    partner = make_partner(
        backend="python",
        backend_class=f"{__name__}.{Recording.__name__}",
        options={"error_http_status": "mirror"},
    )
    answers[:] = [{"api-response-code": 402, "api-response-message": "Phone Not Whitelisted"}]
    assert partner.post(PLAIN, partner.request()).status_code == 402
    body = {
        "security-id": partner.security_id,
        "flow-id": partner.flow_id,
        "phonon-uuids": ["x"],
        "fetch-attempt": "LAST",
    }
    assert partner.post(PULL, body).status_code == 402
