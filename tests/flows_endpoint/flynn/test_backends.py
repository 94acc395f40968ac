"""Flows with a service of their own behind them: what it gets, and how its answers go out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from flows_endpoint.exchange import Reason, Refusal
from flows_endpoint.flynn.errors import Err, irp_refused
from flows_endpoint.flynn.models import Invoice, PortalSession
from flows_endpoint.models import ExchangeRow
from tests.flows_endpoint.flynn import own_backends
from tests.flows_endpoint.flynn.partner import EINV, EINV_V1, EWAY, SECRETS, Partner, error_of

pytestmark = pytest.mark.django_db
SCRIPTED = "tests.flows_endpoint.flynn.own_backends.Scripted"


@pytest.fixture
def own(make_partner: Callable[..., Partner]) -> Iterator[Partner]:
    own_backends.served.clear()
    own_backends.answers.clear()
    yield make_partner(backend="python", backend_class=SCRIPTED)
    assert not own_backends.answers


def test_the_service_sees_everything_but_token_and_key(own: Partner) -> None:
    own_backends.answers.append({"AckNo": 7})
    body = b'{"Version": "1.1",  "amount": 100.00}'
    reply = own.call(EINV + "?dry=1", body)
    assert (reply.status_code, reply.json()["data"]) == (200, {"AckNo": 7})
    (call,) = own_backends.served
    assert call.operation == "einvoice.generate"
    assert call.payload == {
        "plain": {
            "org-id": own.bundle["org_id"],
            "irp-gstin": own.bundle["gstin"],
            "irp-username": own.bundle["portal_username"],
            "irp-gsp-code": "vay",
        },
        "sensitive": {"irp-pwd": own.bundle["portal_password"]},
        "body": {"Version": "1.1", "amount": 100.0},
    }
    assert json.loads(call.raw) == call.payload
    assert call.raw.endswith(b'"body":' + body + b"}")
    assert own.token.encode() not in call.raw
    assert call.details == {"method": "POST", "route": {"irp": "ni1"}, "query": {"dry": "1"}}
    assert own.bundle["portal_password"] not in repr(call)
    assert not Invoice.objects.exists()


def test_what_the_address_says_reaches_the_service(own: Partner) -> None:
    own_backends.answers += [{}, {}]
    own.call(f"{EINV}/irn/abc", method="GET")
    own.call(f"{EWAY}/GetEwayBill?ewbNo=12", method="GET")
    by_irn, by_number = (call.details for call in own_backends.served)
    assert by_irn["route"] == {"irp": "ni1", "irn": "abc"}
    assert (by_number["route"], by_number["query"]) == ({"ewb": "ew1"}, {"ewbNo": "12"})


@pytest.mark.parametrize("answer", [None, [], "text", {"error": 1, "more": 2}, 12.5, {"a": "é"}])
def test_any_json_is_data(own: Partner, answer: Any) -> None:
    own_backends.answers += [answer, answer]
    assert own.call(EINV, {}).json()["data"] == answer
    assert json.loads(own.call(EINV_V1, {}).json()["data"]) == answer


def test_an_error_of_the_service_goes_out_as_one(own: Partner) -> None:
    args = {"details": [{"ErrorCode": "2172", "ErrorMessage": "For intra-state…"}]}
    own_backends.answers.append({"error": {"message": "err-irp-returned-error", "args": args}})
    reply = own.call(EINV, {})
    assert reply.status_code == 502
    assert error_of(reply) == {"message": "err-irp-returned-error", "type": "Irp", "args": args}
    assert not PortalSession.objects.exists()


@pytest.mark.parametrize(
    "error",
    [None, "text", {}, {"message": 5}, {"message": "err-of-its-own"}, {"message": ["x"]}],
)
def test_an_error_that_is_not_of_the_table(own: Partner, error: Any) -> None:
    own_backends.answers.append({"error": error})
    reply = own.call(EINV, {})
    assert reply.status_code == 502
    assert error_of(reply)["args"]["details"][0]["ErrorCode"] == "GW-ANSWER"


@pytest.mark.parametrize(
    ("raised", "status", "message", "args"),
    [
        (
            Refusal(Reason.UPSTREAM_DOWN),
            502,
            "err-irp-returned-error",
            {
                "details": [
                    {
                        "ErrorCode": "GW-DOWN",
                        "ErrorMessage": "The service behind the gateway cannot be reached.",
                    }
                ]
            },
        ),
        (irp_refused("2150"), 502, "err-irp-returned-error", ...),
        (Refusal(Reason.BUSINESS, "err-resource-not-found"), 404, "err-resource-not-found", {}),
        (
            Refusal(Reason.BUSINESS, Err.IRP, extra={"x": 1}),
            502,
            "err-irp-returned-error",
            {"x": 1},
        ),
        (Refusal(Reason.BUSINESS, Err.IRP, extra={"x": {1}}), 502, "err-irp-returned-error", {}),
        (Refusal(Reason.BUSINESS, "of-its-own"), 500, "err-internal-error", {}),
        (Refusal(Reason.BUSINESS, 404), 500, "err-internal-error", {}),
        (ValueError("secret text"), 500, "err-internal-error", {}),
        (Refusal(Reason.UNAVAILABLE), 503, "err-service-unavailable", {}),
    ],
)
def test_what_the_service_raises(
    own: Partner, raised: Exception, status: int, message: str, args: Any
) -> None:
    own_backends.answers.append(raised)
    reply = own.call(EINV, {})
    assert (reply.status_code, error_of(reply)["message"]) == (status, message)
    assert args is ... or error_of(reply)["args"] == args
    assert b"secret text" not in reply.content


def test_the_other_portals_errors(own: Partner) -> None:
    own_backends.answers.append(Refusal(Reason.UPSTREAM_SLOW))
    error = error_of(own.call(f"{EWAY}/gen-ewb", {}))
    assert error == {
        "message": "err-ewb-returned-error",
        "type": "Ewb",
        "args": {
            "details": [
                {
                    "ErrorCode": "GW-SLOW",
                    "ErrorMessage": "The service behind the gateway did not answer in time.",
                }
            ],
            "error-codes": [],
        },
    }
    assert ExchangeRow.objects.latest("id").outcome == "failed"


def test_the_rules_of_the_contract_come_first(own: Partner) -> None:
    headers = own.portal_headers("irp")
    del headers["x-flynn-s-irp-pwd"], headers["x-flynn-s-rek"]
    assert own.send("POST", EINV, {}, headers).status_code == 401
    assert own.send("POST", EINV, b"{", own.portal_headers("irp")).status_code == 400
    assert not own_backends.served


def test_a_call_the_service_took_begins_a_portal_session(own: Partner) -> None:
    own_backends.answers += [{}, {}]
    assert own.call(EINV, {}).status_code == 200
    headers = own.portal_headers("irp")
    del headers["x-flynn-s-irp-pwd"], headers["x-flynn-s-rek"]
    assert own.send("POST", EINV, {}, headers).status_code == 200
    assert own_backends.served[-1].payload["sensitive"] == {}


def test_a_portal_session_is_for_one_number_and_one_name(own: Partner) -> None:
    own_backends.answers.append({})
    taken = {"n_irp_gstin": "a|b", "n_irp_username": "c"}
    assert own.call(EINV, {}, **taken).status_code == 200
    headers = own.portal_headers("irp", n_irp_gstin="a", n_irp_username="b|c")
    del headers["x-flynn-s-irp-pwd"], headers["x-flynn-s-rek"]
    assert own.send("POST", EINV, {}, headers).status_code == 401
    assert len(own_backends.served) == 1


def test_log_in_and_checks_are_the_gateways_own(own: Partner) -> None:
    headers = own.headers({"data": "x"})
    assert own.send("GET", SECRETS, headers=headers).status_code == 200
    assert not own_backends.served
