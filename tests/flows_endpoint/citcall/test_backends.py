"""Other backends than the sandbox: the contract's rules come first, its errors last."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from flows_endpoint.exchange import Reason, Refusal
from tenants.models import Flow
from tests.flows_endpoint.citcall import own_backends
from tests.flows_endpoint.citcall.partner import ORDER, Partner, rows

pytestmark = pytest.mark.django_db
OWN = "tests.flows_endpoint.citcall.own_backends"
UNAVAILABLE = b'{"rc":"34","info":"Service temporarily unavailable"}'
UNKNOWN = b'{"rc":"06","info":"Unknown error"}'


@pytest.fixture
def scripted(make_partner: Callable[..., Partner]) -> Partner:
    own_backends.served.clear()
    own_backends.answers.clear()
    return make_partner(backend="python", backend_class=f"{OWN}.Scripted")


def test_it_sees_what_the_partner_sealed(scripted: Partner) -> None:
    own_backends.answers.append({"rc": "00", "info": "success"})
    text = '{"gateway": 2, "msisdn": "0812 0000 0001", "extra": [1.50]}'
    scripted.post(scripted.data_of(text))
    (call,) = own_backends.served
    assert call.raw == text.encode()
    assert call.payload == json.loads(text)
    assert (call.operation, call.flow.address) == ("asynccall", "partner01")


@pytest.mark.parametrize(
    "answer",
    [{"rc": "00", "token": "02150800042"}, {"token": "1"}, [], None, "text", {"rc": "00", "n": 1}],
)
def test_a_success_is_sealed_as_it_is(scripted: Partner, answer: Any) -> None:
    own_backends.answers.append(answer)
    assert scripted.call() == answer


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        ({"rc": "14", "info": "No credit"}, b'{"rc":"14","info":"No credit"}'),
        ({"rc": "66"}, b'{"rc":"66","info":"Maintenance in progress"}'),
        ({"rc": "14", "msisdn": "x"}, b'{"rc":"14","info":"Insufficient amount"}'),
        ({"rc": "55", "info": "Ours"}, b'{"rc":"55","info":"Ours"}'),
        ({"rc": 0}, UNKNOWN),
        ({"rc": None}, UNKNOWN),
        ({"rc": "failed"}, UNKNOWN),
        ({"rc": "00", "bad": "\ud800"}, UNKNOWN),
        ({"rc": "00", "bad": {1, 2}}, UNKNOWN),
        (Refusal(Reason.BUSINESS, "14"), b'{"rc":"14","info":"Insufficient amount"}'),
        (Refusal(Reason.UPSTREAM_SLOW), UNAVAILABLE),
        (Refusal(Reason.UPSTREAM_ANSWER), UNKNOWN),
        (ValueError("081200000001"), UNKNOWN),
    ],
)
def test_a_failure_is_plain_and_changes_nothing(
    scripted: Partner, answer: Any, body: bytes
) -> None:
    own_backends.answers.append(answer)
    before = rows()
    response = scripted.post()
    assert (response.status_code, response.content) == (200, body)
    assert rows() == before


def test_the_rules_of_the_contract_come_first(scripted: Partner) -> None:
    before = rows()
    assert scripted.call(ORDER | {"gateway": 7})["rc"] == "06"
    assert scripted.call({"gateway": 1})["rc"] == "88"
    assert own_backends.served == []
    assert rows() == before


@pytest.mark.parametrize("name", ["Down", "Missing", "Call"])
def test_a_backend_that_is_not_there(make_partner: Callable[..., Partner], name: str) -> None:
    """Down by itself, or gone from the installation since the flow was made."""
    partner = make_partner(backend="python", backend_class=f"{OWN}.Down")
    Flow.objects.update(backend_class=f"{OWN}.{name}")
    before = rows()
    data = partner.data()
    assert partner.post(data).content == UNAVAILABLE
    assert partner.post(data).content == UNAVAILABLE, "the data is not burnt"
    assert rows() == before
