"""Payouts of the sandbox: every ending, what is refused, and never the same money twice."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from callbacks.models import Delivery
from crypto_schemes.json_text import JSONValue
from flows_endpoint import timers
from flows_endpoint.isu.models import Payout
from flows_endpoint.models import ExchangeRow, Timer
from tests.flows_endpoint.isu.conftest import MakePartner
from tests.flows_endpoint.isu.partner import Partner, payout, status

pytestmark = pytest.mark.django_db


def end_waiting() -> int:
    Timer.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    return timers.run_due()


def test_a_success_has_every_member_in_order(partner: Partner) -> None:
    sent = payout()
    answer = partner.ask("payout", sent)
    assert list(answer) == [
        "status",
        "subStatus",
        "statusDesc",
        "rrn",
        "transactionId",
        "clientReferenceNo",
        *[name for name in sent if name != "clientReferenceNo"],
    ]
    assert (answer["status"], answer["subStatus"]) == ("SUCCESS", 0)
    assert answer["statusDesc"] == "Transaction successful"
    assert len(answer["rrn"]) == 12
    assert answer["rrn"].isdigit()
    assert {name: answer[name] for name in sent} == sent
    row = Payout.objects.get()
    assert answer["transactionId"] == row.id.hex
    assert row.state == "SUCCESS"
    assert row.ended_at == row.created_at
    assert not Timer.objects.exists()
    assert not Delivery.objects.exists()


@pytest.mark.parametrize(
    ("paise", "first", "later"),
    [
        ("01", ("FAILED", -2), None),
        ("02", ("INPROGRESS", 1), ("SUCCESS", 0)),
        ("03", ("INPROGRESS", 1), ("REFUNDED", 2)),
        ("04", ("SUCCESS", 0), None),
    ],
)
def test_the_paise_choose_the_ending(
    partner: Partner, paise: str, first: tuple[str, int], later: tuple[str, int] | None
) -> None:
    sent = payout(amount=f"500.{paise}")
    answer = partner.ask("payout", sent)
    assert (answer["status"], answer["subStatus"]) == first
    assert bool(answer["rrn"]) == (first[0] == "SUCCESS")
    assert Timer.objects.count() == (later is not None)
    assert end_waiting() == (later is not None)
    assert not Timer.objects.exists()
    (found,) = partner.ask("status", status(**{"$6": sent["clientReferenceNo"]}))["results"]
    assert (found["status"], found["subStatus"]) == (later or first)
    assert Payout.objects.get().ended_at is not None


def test_neft_never_ends_at_once(partner: Partner) -> None:
    for _ in range(12):
        answer = partner.ask("payout", payout(amount=100, fundTransferType="NEFT"))
        assert answer["status"] == "INPROGRESS"
    assert end_waiting() == 12
    assert set(Payout.objects.values_list("state", flat=True)) <= {"SUCCESS", "REFUNDED"}


def test_the_same_seed_and_reference_play_the_same_story(
    make_partner: MakePartner, settings: Any
) -> None:
    one, other = make_partner(), make_partner()
    references = [f"STORY{number:09}" for number in range(40)]

    def told(teller: Partner) -> list[str]:
        return [
            teller.ask("payout", payout(amount=100, clientReferenceNo=name))["status"]
            for name in references
        ]

    first = told(one)
    assert told(other) == first
    assert {"SUCCESS", "INPROGRESS"} <= set(first)
    settings.SANDBOX_SEED = "another"
    assert told(make_partner()) != first


def test_waiting_follows_the_speed(partner: Partner, settings: Any) -> None:
    settings.SANDBOX_SPEED = 1000.0
    before = timezone.now()
    partner.ask("payout", payout(amount="100.02"))
    due_at = Timer.objects.get().due_at
    assert before <= due_at <= timezone.now() + timedelta(seconds=0.06)


@pytest.mark.parametrize(
    ("amount", "stored"),
    [(1, 1), ("1", "1"), (100.5, 100.5), ("500000.00", "500000.00"), (500000, 500000)],
)
def test_amounts_as_number_and_text(partner: Partner, amount: JSONValue, stored: object) -> None:
    assert partner.ask("payout", payout(amount=amount))["amount"] == stored
    assert Payout.objects.count() == 1


@pytest.mark.parametrize("name", ["benePhoneNo", "custMobNo", "pincode"])
def test_numbers_may_be_numbers(partner: Partner, name: str) -> None:
    value = 560001 if name == "pincode" else 9000000001
    assert partner.ask("payout", payout(**{name: value}))[name] == value


@pytest.mark.parametrize("name", ["paramA", "paramB"])
def test_what_is_optional_may_be_absent(partner: Partner, name: str) -> None:
    sent = payout()
    del sent[name]
    answer = partner.ask("payout", sent)
    assert answer["status"] == "SUCCESS"
    assert name not in answer
    assert partner.ask("payout", payout(**{name: None}))["status"] == "SUCCESS"


BAD_MEMBERS: list[tuple[str, Any]] = [
    ("beneName", ""),
    ("beneName", "   "),
    ("beneName", "x" * 101),
    ("beneName", "A\u0000B"),
    ("beneName", 7),
    ("beneName", ["A"]),
    ("beneAccountNo", "12345"),
    ("beneAccountNo", "1" * 21),
    ("beneAccountNo", 111222333444),
    ("beneAccountNo", "٠١٢٣٤٥٦٧"),
    ("beneifsc", "DEMO1000001"),
    ("beneifsc", "demo0000001"),
    ("benePhoneNo", "900000001"),
    ("benePhoneNo", 10**400),
    ("benePhoneNo", True),
    ("benePhoneNo", 9000000001.0),
    ("beneBankName", {}),
    ("clientReferenceNo", "A" * 11),
    ("clientReferenceNo", "A" * 23),
    ("clientReferenceNo", "ABCDEF-123456"),
    ("clientReferenceNo", "ABCDEFGHIJKÉ"),
    ("clientReferenceNo", 123456789012),
    ("clientReferenceNo", "ABCDEFGHIJKL\n"),
    ("amount", 0),
    ("amount", -1),
    ("amount", "-1"),
    ("amount", 0.99),
    ("amount", 500000.01),
    ("amount", "500000.01"),
    ("amount", 1.005),
    ("amount", "1.005"),
    ("amount", "1e3"),
    ("amount", "1,000"),
    ("amount", " 1"),
    ("amount", ""),
    ("amount", True),
    ("amount", 10**400),
    ("amount", 1e300),
    ("amount", 1e-300),
    ("amount", [100]),
    ("fundTransferType", "imps"),
    ("fundTransferType", "RTGS"),
    ("fundTransferType", ["IMPS"]),
    ("pincode", "56001"),
    ("pincode", 99999),
    ("custName", ""),
    ("custMobNo", "+919000000001"),
    ("latlong", "12.9716"),
    ("latlong", "north,east"),
    ("paramA", "x" * 101),
    ("paramA", 1),
    ("paramB", ["b"]),
]


def failure(text: str) -> dict[str, JSONValue]:
    return {
        "status": "FAILED",
        "subStatus": -1,
        "statusDesc": text,
        "rrn": "",
        "transactionId": "",
        "clientReferenceNo": "",
    }


def test_a_bad_member_is_named_in_a_sealed_failure(partner: Partner) -> None:
    wrong = []
    for name, value in BAD_MEMBERS:
        sent = payout(**{name: value})
        answer = partner.ask("payout", sent)
        if answer != failure(f"Invalid {name}") | sent:
            wrong.append((name, value, answer))
    assert not wrong
    assert not Payout.objects.exists()
    assert not Timer.objects.exists()


def test_a_missing_member_is_named(partner: Partner) -> None:
    wrong = []
    for name in payout():
        if name.startswith("param"):
            continue
        null = payout(**{name: None})
        absent = {member: value for member, value in null.items() if member != name}
        for sent in (null, absent):
            answer = partner.ask("payout", sent)
            if answer != failure(f"{name} is missing") | sent:
                wrong.append((name, answer))
    assert not wrong
    assert not Payout.objects.exists()


@pytest.mark.parametrize("payload", [None, True, 7, "text", [], [payout()]])
def test_what_is_no_object_fails(partner: Partner, payload: JSONValue) -> None:
    assert partner.ask("payout", payload) == failure("Invalid RequestData")
    assert not Payout.objects.exists()


def test_a_repeated_reference_moves_no_money_twice(partner: Partner) -> None:
    sent = payout(amount="100.02")
    first = partner.ask("payout", sent)
    for again in (sent, {**sent, "amount": "7.00", "beneName": "OTHER"}):
        answer = partner.ask("payout", again)
        assert (answer["status"], answer["subStatus"]) == ("FAILED", -1)
        assert answer["statusDesc"] == "Duplicate clientReferenceNo"
        assert answer["transactionId"] == ""
    row = Payout.objects.get()
    assert row.id.hex == first["transactionId"]
    assert row.details()["sent"]["amount"] == "100.02"
    assert Timer.objects.count() == 1


def test_references_are_told_apart_by_case_and_flow(make_partner: MakePartner) -> None:
    one, other = make_partner(), make_partner()
    for teller in (one, other):
        for name in ("ABCDEFGHIJKL", "abcdefghijkl"):
            answer = teller.ask("payout", payout(clientReferenceNo=name))
            assert answer["status"] == "SUCCESS"
    assert Payout.objects.count() == 4


def test_nothing_a_partner_sent_stands_in_clear(partner: Partner) -> None:
    sent = payout()
    partner.ask("payout", sent)
    row = Payout.objects.values().get()
    text = json.dumps({name: str(value) for name, value in row.items()})
    stored = bytes(row["sealed"])
    logged = ExchangeRow.objects.get()
    assert logged.outcome == "ok"
    assert logged.code == "SUCCESS"
    assert logged.operation == "payout"
    assert logged.key_versions == "pass_key v1, isu_aes v1, client_secret v1"
    said = str(logged.__dict__)
    telling = [value for name, value in sent.items() if not name.startswith(("param", "fund"))]
    assert len(telling) == 11
    for value in telling:
        assert str(value) not in text
        assert str(value).encode() not in stored
        assert str(value) not in said


def test_a_timer_that_comes_twice_changes_nothing(partner: Partner) -> None:
    partner.ask("payout", payout(amount="100.03"))
    timer = Timer.objects.get()
    end_waiting()
    before = Payout.objects.values().get()
    timers.schedule(str(partner.flow.id), timer.kind, timer.subject, timezone.now())
    assert timers.run_due() == 1
    assert Payout.objects.values().get() == before


@pytest.mark.parametrize(
    "broken",
    [
        "flows_endpoint.isu.sandbox.payout.answer",
        "flows_endpoint.isu.sandbox.payout.timers.planned",
    ],
)
def test_what_breaks_leaves_nothing_behind(
    partner: Partner, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def breaks(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(broken, breaks)
        response = partner.send(partner.seal(payout(amount="100.02")))
    assert response.status_code == 500
    assert not Payout.objects.exists()
    assert not Timer.objects.exists()
