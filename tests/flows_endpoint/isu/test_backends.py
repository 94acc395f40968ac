"""Backends other than the sandbox: what they get, and what becomes of what they raise."""

from __future__ import annotations

import pytest

from crypto_schemes.json_text import JSONValue
from flows_endpoint.exchange import Reason
from flows_endpoint.isu.errors import OF_REASON, IsuError
from flows_endpoint.isu.models import Payout
from flows_endpoint.models import ExchangeRow
from tests.flows_endpoint.isu.conftest import MakePartner
from tests.flows_endpoint.isu.partner import (
    BILL,
    INVALID_HEADER,
    Partner,
    business_rows,
    error,
    plain,
)

pytestmark = pytest.mark.django_db
OWN = "tests.flows_endpoint.isu.own_backend.OwnBackend"
OUTSIDE = "tests.flows_endpoint.isu.own_backend.Outside"


@pytest.fixture
def own(make_partner: MakePartner) -> Partner:
    return make_partner(backend="python", backend_class=OWN)


def test_it_gets_the_operation_and_the_exact_text(own: Partner) -> None:
    for product, payload in (("payout", {"b": 1, "a": [1.50]}), ("status", "text")):
        answer = own.ask(product, payload)
        assert answer["operation"] == product
        assert answer["raw"] == ('{"b":1,"a":[1.5]}' if product == "payout" else '"text"')
        Payout.objects.all().delete()


FAILURES = {
    "rate": error(429, "Too many requests"),
    "upstream_down": error(503, "Service is unavailable"),
    "upstream_slow": error(504, "Service did not answer in time"),
    "upstream_answer": error(502, "Service gave no valid answer"),
    "unavailable": error(503, "Service is unavailable"),
    "internal": error(500, "Internal failure"),
}


@pytest.mark.parametrize("reason", FAILURES)
@pytest.mark.parametrize("backend", [OWN, OUTSIDE], ids=["inside", "outside"])
def test_a_failure_has_its_error_and_is_not_tried_twice(
    make_partner: MakePartner, reason: str, backend: str
) -> None:
    own = make_partner(backend="python", backend_class=backend)
    sent = own.seal({"refuse": reason})
    assert plain(own.send(sent)) == FAILURES[reason]
    placed = Payout.objects.count()
    assert placed == (backend == OUTSIDE)
    # What a slow service did already must not be done again by a copy.
    assert plain(own.send(sent)) == INVALID_HEADER
    assert Payout.objects.count() == placed


@pytest.mark.parametrize("wish", [{"break": "secret text"}, {"unsealable": 1}])
def test_what_breaks_is_an_internal_failure_and_undone(
    own: Partner, wish: dict[str, JSONValue], caplog: pytest.LogCaptureFixture
) -> None:
    before = business_rows()
    assert plain(own.send(own.seal(wish))) == error(500, "Internal failure")
    assert business_rows() == before
    assert "secret text" not in caplog.text
    assert ExchangeRow.objects.get().outcome == "failed"


@pytest.mark.parametrize(
    ("product", "failure"),
    [
        (
            "payout",
            {
                "status": "FAILED",
                "subStatus": -1,
                "statusDesc": "No funds",
                "rrn": "",
                "transactionId": "",
                "clientReferenceNo": "",
            },
        ),
        ("status", {"status": 400, "message": "No funds", "length": 0, "results": []}),
        (
            "electricity_bill",
            {"txnId": "", "status": "FAILED", "status_desc": "No funds", "data_obj": {}},
        ),
    ],
)
def test_a_business_refusal_is_sealed_and_undone(
    own: Partner, product: str, failure: dict[str, JSONValue]
) -> None:
    before = business_rows()
    assert own.ask(product, {"refuse": "business", "code": "No funds"}) == failure
    assert business_rows() == before
    logged = ExchangeRow.objects.get()
    assert (logged.outcome, logged.reason) == ("refused", "business")


def test_a_refusal_may_name_an_error_of_the_table(own: Partner) -> None:
    sent = own.seal({"refuse": "business", "code": "TOO_MANY_REQUESTS"})
    assert plain(own.send(sent)) == error(429, "Too many requests")


def test_the_rules_of_products_are_the_sandboxs(own: Partner) -> None:
    assert own.ask("electricity_bill", {**BILL, "mobile_no": 5})["operation"] == "electricity_bill"


def test_a_backend_that_cannot_be_loaded_is_an_error(make_partner: MakePartner) -> None:
    own = make_partner()
    own.flow.backend, own.flow.backend_class = "python", "no.such.Class"
    own.flow.save()
    assert plain(own.send(own.seal({}))) == error(503, "Service is unavailable")


def test_each_reason_and_each_error_has_its_place() -> None:
    assert set(OF_REASON) == set(Reason)
    raised_elsewhere = {
        IsuError.PASS_KEY_MISSING,
        IsuError.HEADER_SECRETS_MISSING,
        IsuError.HEADER_SECRETS_EMPTY,
        IsuError.PATH_NOT_SERVED,
    }
    assert set(OF_REASON.values()) | raised_elsewhere == set(IsuError)
