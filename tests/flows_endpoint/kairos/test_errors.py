"""The complete error table: each code raised by a rule, exactly as the contract writes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from flows_endpoint.backends.base import Answer, Backend, Call
from flows_endpoint.exchange import Reason, Refusal
from flows_endpoint.kairos.errors import CODE_OF, MEANINGS, Code, http_status, known
from flows_endpoint.models import ExchangeRow
from tenants import lifecycle
from tenants.actors import Actor
from tenants.models import Flow
from tests.flows_endpoint.kairos.partner import PLAIN, PULL, SEALED, Partner, a_call, counts, error

pytestmark = pytest.mark.django_db
Make = Callable[..., Partner]

TABLE = {
    200: ("SUCCESS", "Success"),
    201: ("CHECKSUM_REPEATED", "Checksum Repeated"),
    202: ("INVALID_SECURITY_ID", "Invalid Security ID"),
    203: ("API_VERSION_NOT_SUPPORTED", "API Version not Supported"),
    204: ("INVALID_SMS_GATEWAY", "Invalid SMS Gateway"),
    205: ("INVALID_CONTACT_NUMBER", "Invalid Contact Number"),
    206: ("FAILURE_FROM_GATEWAY", "Failure from Gateway"),
    207: ("DID_NOT_MAPPED", "DID Not Mapped"),
    208: ("NO_MASK_AVAILABLE", "No Mask Available"),
    209: ("PARTIAL_SUCCESS", "Partial Success"),
    210: ("INVALID_MANDATORY_PARAMETERS", "Invalid Mandatory Parameters"),
    211: ("VALIDITY_EXPIRED", "Validity Expired"),
    212: ("INSUFFICIENT_BALANCE", "Insufficient Balance"),
    213: ("NO_DATA_AVAILABLE", "No Data Available"),
    301: ("INVALID_FLOW_ID", "Invalid Flow ID"),
    302: ("EMPTY_CALL_LIST", "Empty Call List"),
    303: ("MAX_DATA_LIST_SIZE_EXCEEDED", "Max Data List Size Exceeded"),
    304: ("INVALID_FLOW_VERSION", "Invalid Flow Version"),
    400: ("INVALID_FORMAT", "Invalid Format"),
    401: ("IP_NOT_WHITELISTED", "IP Not Whitelisted"),
    402: ("PHONE_NOT_WHITELISTED", "Phone Not Whitelisted"),
    500: ("FAILURE", "Failure"),
}


def test_the_table_is_the_contracts() -> None:
    assert {int(code): (code.name, MEANINGS[code].message) for code in Code} == TABLE
    assert set(CODE_OF) == set(Reason)


def test_four_codes_are_reserved_for_an_upstream() -> None:
    assert {int(code) for code in Code if MEANINGS[code].reserved} == {204, 207, 208, 304}
    for meaning in MEANINGS.values():
        assert meaning.cause.endswith(".")
        assert meaning.fix.endswith(".")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (200, 200),
        ("206", 206),
        (Code.FAILURE, 500),
        (True, None),
        (1, None),
        ("0200", None),
        ("²00", None),
        (None, None),
        (200.0, None),
        ([], None),
        (10**50, None),
    ],
)
def test_known_codes(code: Any, expected: int | None) -> None:
    assert known(code) == expected


def test_only_four_codes_are_mirrored() -> None:
    mirrored = {int(code) for code in Code if http_status(code, mirror=True) != 200}
    assert mirrored == {400, 401, 402, 500}
    assert {http_status(code, mirror=False) for code in Code} == {200}


def _versions(value: Any) -> Callable[[Partner], dict[str, Any]]:
    return lambda partner: partner.request(**{"api-version": value})


REFUSED: list[tuple[Callable[[Partner], dict[str, Any]], Code]] = [
    (lambda p: p.request(**{"security-id": "0" * 64}), Code.INVALID_SECURITY_ID),
    (lambda p: p.request(**{"security-id": None}), Code.INVALID_SECURITY_ID),
    (lambda p: p.request(**{"security-id": [p.security_id]}), Code.INVALID_SECURITY_ID),
    (_versions("1"), Code.API_VERSION_NOT_SUPPORTED),
    (_versions("1.00"), Code.API_VERSION_NOT_SUPPORTED),
    (_versions(1.0), Code.API_VERSION_NOT_SUPPORTED),
    (_versions(["1.0"]), Code.API_VERSION_NOT_SUPPORTED),
    (_versions("test"), Code.API_VERSION_NOT_SUPPORTED),
    (_versions(None), Code.API_VERSION_NOT_SUPPORTED),
    (lambda p: p.request(calls=[]), Code.EMPTY_CALL_LIST),
    (lambda p: p.request(calls=None), Code.EMPTY_CALL_LIST),
    (lambda p: p.request(calls={}), Code.INVALID_MANDATORY_PARAMETERS),
    (lambda p: p.request(calls="x"), Code.INVALID_MANDATORY_PARAMETERS),
    (lambda p: p.request(*[a_call()] * 501), Code.MAX_DATA_LIST_SIZE_EXCEEDED),
    (lambda p: p.request(calls=["x"]), Code.INVALID_MANDATORY_PARAMETERS),
    (lambda p: p.request(a_call("order", "12")), Code.INVALID_CONTACT_NUMBER),
    (lambda p: p.request(a_call("order", "+"), a_call("b", "x")), Code.INVALID_CONTACT_NUMBER),
]


@pytest.mark.parametrize("sealed", [False, True], ids=["plain", "sealed"])
def test_rules(partner: Partner, sealed: bool) -> None:
    before = counts()
    for make, code in REFUSED:
        payload = make(partner)
        path, body = (SEALED, partner.seal(payload)) if sealed else (PLAIN, payload)
        reply = partner.post(path, body)
        assert (reply.status_code, reply.content) == (200, error(code)), payload
        row = ExchangeRow.objects.latest("id")
        assert (row.outcome, row.code) == ("refused", str(int(code)))
    assert counts() == before


MANDATORY: list[tuple[str, Any]] = [
    ("client-identifier", None),
    ("client-identifier", ""),
    ("client-identifier", 7),
    ("client-identifier", "x" * 257),
    ("start-time", None),
    ("start-time", 1700000000),
    ("start-time", "2030-01-23"),
    ("start-time", "2030-01-23T08:02:53"),
    ("start-time", "2030-01-23 08:02:53+05:30"),
    ("start-time", "2030-02-30T08:02:53Z"),
    ("start-time", "2030-01-23T25:00:00Z"),
    ("start-time", "2030-01-23T08:02:53+25:00"),
    ("start-time", "0001-01-01T00:00:00+14:00"),
    ("start-time", "9999-12-31T23:59:59-12:00"),
    ("start-time", "2030-01-23T08:02:53Z\x00"),
    ("start-time", "٢030-01-23T08:02:53Z"),
    ("contact-numbers", None),
    ("contact-numbers", []),
    ("contact-numbers", "910000000016"),
    ("contact-numbers", {"0": "910000000016"}),
    ("keys", {}),
    ("keys", "x"),
    ("keys", ["x"]),
    ("keys", [{"value": "x"}]),
    ("keys", [{"name": "x"}]),
    ("keys", [{"name": 1, "value": "x"}]),
    ("keys", [{"name": "x", "value": {}}]),
]


def test_mandatory_parameters(partner: Partner) -> None:
    before = counts()
    for member, value in MANDATORY:
        call = a_call(**{member: value})
        if value is None:
            del call[member]
        reply = partner.post(SEALED, partner.seal(partner.request(a_call("fine"), call)))
        assert reply.content == error(Code.INVALID_MANDATORY_PARAMETERS), (member, value)
    assert counts() == before


def test_an_unknown_or_disabled_flow_is_301(partner: Partner) -> None:
    payload = partner.request(**{"flow-id": "Zz000000"})
    assert partner.post(PLAIN, payload).content == error(Code.INVALID_FLOW_ID)
    assert ExchangeRow.objects.get().flow is None
    lifecycle.update_flow(Actor("op"), partner.flow, {"is_enabled": False})
    reply = partner.post(SEALED, partner.seal(partner.request()))
    assert reply.content == error(Code.INVALID_FLOW_ID)


def test_inner_and_outer_flow_id_must_agree(partner: Partner, make_partner: Make) -> None:
    other = make_partner()
    for inner in (other.flow_id, None, "", 8):
        reply = partner.post(SEALED, partner.seal(partner.request(**{"flow-id": inner})))
        assert reply.content == error(Code.INVALID_FLOW_ID)


def test_flow_id_comes_before_security_id_before_version(partner: Partner) -> None:
    wrong = partner.request(**{"api-version": "9", "security-id": "x", "flow-id": "Zz000000"})
    assert partner.plain(wrong)["api-response-code"] == 301
    wrong["flow-id"] = partner.flow_id
    assert partner.plain(wrong)["api-response-code"] == 202
    wrong["security-id"] = partner.security_id
    assert partner.plain(wrong)["api-response-code"] == 203


def test_numbers_come_last(make_partner: Make) -> None:
    partner = make_partner(options={"valid_until": "2000-01-01", "balance": 0})
    wrong = partner.request(*[a_call("x", "1") for _ in range(501)])
    wrong["calls"][0]["start-time"] = "never"
    assert partner.plain(wrong)["api-response-code"] == 211
    _set(partner, balance=0)
    assert partner.plain(wrong)["api-response-code"] == 212
    _set(partner, balance=501)
    assert partner.plain(wrong)["api-response-code"] == 303
    _set(partner)
    wrong["calls"].pop()
    assert partner.plain(wrong)["api-response-code"] == 210
    wrong["calls"][0]["start-time"] = a_call()["start-time"]
    assert partner.plain(wrong)["api-response-code"] == 205


@pytest.mark.parametrize("mirror", [False, True])
def test_http_status_follows_the_option(make_partner: Make, mirror: bool) -> None:
    options = {"error_http_status": "mirror" if mirror else "always_200"}
    partner = make_partner(options=options)
    for payload, code in (
        (partner.request(**{"security-id": "x"}), 202),
        (partner.request(calls=[]), 302),
        (partner.request(**{"api-version": "TEST"}), 402),
    ):
        reply = partner.post(PLAIN, payload)
        assert json.loads(reply.content)["api-response-code"] == code
        assert reply.status_code == (402 if mirror and code == 402 else 200)
    lifecycle.update_flow(Actor("op"), partner.flow, {"allowed_networks": ["203.0.113.0/24"]})
    reply = partner.post(PLAIN, partner.request())
    assert (reply.status_code, reply.content) == (
        401 if mirror else 200,
        error(Code.IP_NOT_WHITELISTED),
    )


def test_a_body_above_256_kb_is_413(partner: Partner) -> None:
    payload = partner.request(padding="x" * 256 * 1024)
    reply = partner.post(PLAIN, payload)
    assert (reply.status_code, reply.content) == (413, error(Code.INVALID_FORMAT))


def test_a_body_of_exactly_256_kb_is_taken(partner: Partner) -> None:
    payload = partner.request(padding="")
    payload["padding"] = "x" * (256 * 1024 - len(json.dumps(payload).encode()))
    assert partner.plain(payload)["api-response-code"] == 200


@pytest.mark.parametrize("path", [PLAIN, SEALED, PULL])
def test_other_methods_are_405(partner: Partner, path: str) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        reply: Any = partner.http.generic(method, path)
        assert (reply.status_code, reply.content) == (405, error(Code.INVALID_FORMAT)), method
        assert reply["Allow"] == "POST"


class Failing(Backend):
    """Raises what its flow's address says."""

    def handle(self, call: Call) -> Answer:
        raise {
            "down0000": Refusal(Reason.UPSTREAM_DOWN),
            "slow0000": Refusal(Reason.UPSTREAM_SLOW),
            "answer00": Refusal(Reason.UPSTREAM_ANSWER),
            "missing0": Refusal(Reason.UNAVAILABLE),
            "broken00": RuntimeError("secret text"),
            "did00000": Refusal(Reason.BUSINESS, 207),
            "text0000": Refusal(Reason.BUSINESS, "208"),
            "odd00000": Refusal(Reason.BUSINESS, "E-17"),
        }[call.flow.address]


@pytest.mark.parametrize(
    ("address", "code", "outcome"),
    [
        ("down0000", 206, "failed"),
        ("slow0000", 206, "failed"),
        ("answer00", 206, "failed"),
        ("missing0", 500, "failed"),
        ("broken00", 500, "failed"),
        ("did00000", 207, "refused"),
        ("text0000", 208, "refused"),
        ("odd00000", 500, "refused"),
    ],
)
def test_what_a_backend_raises(make_partner: Make, address: str, code: int, outcome: str) -> None:
    partner = make_partner(
        address=address, backend="python", backend_class=f"{__name__}.{Failing.__name__}"
    )
    before = counts()
    reply = partner.post(PLAIN, partner.request())
    assert reply.content == error(Code(code))
    assert b"secret" not in reply.content
    assert counts() == before
    assert ExchangeRow.objects.get().outcome == outcome


def test_a_backend_that_cannot_be_loaded_is_500(make_partner: Make) -> None:
    partner = make_partner(
        backend="python", backend_class=f"{__name__}.{Failing.__name__}", address="gone0000"
    )
    Flow.objects.update(backend_class="no.such.Class")
    assert partner.post(PLAIN, partner.request()).content == error(Code.FAILURE)


def _set(partner: Partner, **options: Any) -> None:
    lifecycle.update_flow(Actor("op"), partner.flow, {"options": {"rsa_bits": 2048, **options}})
