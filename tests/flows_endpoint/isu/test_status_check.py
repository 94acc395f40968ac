"""Status checks: by day, reference and transaction id, and never of another flow."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from crypto_schemes.json_text import JSONValue
from flows_endpoint.isu.models import Payout
from flows_endpoint.isu.sandbox import report
from tests.flows_endpoint.isu.conftest import MakePartner
from tests.flows_endpoint.isu.partner import Partner, payout, status

pytestmark = pytest.mark.django_db
NOTHING: dict[str, Any] = {"status": 200, "message": "Success", "length": 0, "results": []}


def test_a_payout_is_found_by_reference_and_by_transaction_id(partner: Partner) -> None:
    sent = payout()
    done = partner.ask("payout", sent)
    partner.ask("payout", payout())
    for by in (
        {"$6": sent["clientReferenceNo"]},
        {"$10": done["transactionId"]},
        {"$6": sent["clientReferenceNo"], "$10": done["transactionId"]},
        {"$6": sent["clientReferenceNo"], "$10": ""},
        {"$6": None, "$10": done["transactionId"]},
    ):
        answer = partner.ask("status", status(**by))
        assert list(answer) == ["status", "message", "length", "results"]
        assert (answer["status"], answer["message"], answer["length"]) == (200, "Success", 1)
        (found,) = answer["results"]
        when = found.pop("dateTime")
        assert found == done
        assert datetime.strptime(when, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)


def test_without_either_the_days_are_listed_newest_first(partner: Partner) -> None:
    done = [partner.ask("payout", payout())["transactionId"] for _ in range(3)]
    answer = partner.ask("status", status())
    assert answer["length"] == 3
    assert [found["transactionId"] for found in answer["results"]] == done[::-1]


def test_a_long_list_is_cut(partner: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "MOST_ROWS", 2)
    for _ in range(3):
        partner.ask("payout", payout())
    assert partner.ask("status", status())["length"] == 2


@pytest.mark.parametrize(
    "by",
    [
        {"$6": "NOSUCHREFERENCE"},
        {"$10": "0" * 32},
        {"$10": "not a transaction"},
        {"$4": "2001-01-01", "$5": "2001-01-02"},
        {"$4": "2100-12-31", "$5": "2100-12-31"},
    ],
)
def test_what_is_not_there_is_an_empty_list(partner: Partner, by: dict[str, str]) -> None:
    partner.ask("payout", payout())
    assert partner.ask("status", status(**by)) == NOTHING


def test_another_flow_sees_nothing(make_partner: MakePartner) -> None:
    one, other = make_partner(), make_partner()
    sent = payout()
    done = one.ask("payout", sent)
    for by in ({}, {"$6": sent["clientReferenceNo"]}, {"$10": done["transactionId"]}):
        assert other.ask("status", status(**by)) == NOTHING


def test_days_are_indias(partner: Partner) -> None:
    partner.ask("payout", payout())
    # 18:29:59 UTC is the last second of the day in India, 18:30 the first of the next.
    for moment, day in (
        (datetime(2024, 1, 1, 18, 29, 59, tzinfo=UTC), "2024-01-01"),
        (datetime(2024, 1, 1, 18, 30, 0, tzinfo=UTC), "2024-01-02"),
    ):
        Payout.objects.update(created_at=moment)
        for asked in ("2024-01-01", "2024-01-02"):
            answer = partner.ask("status", status(**{"$4": asked, "$5": asked}))
            assert answer["length"] == (asked == day)
        both = partner.ask("status", status(**{"$4": "2024-01-01", "$5": "2024-01-02"}))
        assert both["results"][0]["dateTime"].startswith(day)


BAD_QUESTIONS: list[tuple[dict[str, JSONValue], str]] = [
    ({"$1": None}, "$1 is missing"),
    ({"$1": "Cashout"}, "Invalid $1"),
    ({"$1": 1}, "Invalid $1"),
    ({"$4": None}, "$4 is missing"),
    ({"$4": ""}, "Invalid $4"),
    ({"$4": "2024-13-01"}, "Invalid $4"),
    ({"$4": "2024-02-30"}, "Invalid $4"),
    ({"$4": "01-01-2024"}, "Invalid $4"),
    ({"$4": "2024-1-1"}, "Invalid $4"),
    ({"$4": "20240101"}, "Invalid $4"),
    ({"$4": "0001-01-01"}, "Invalid $4"),
    ({"$4": "\uff19\uff19\uff19\uff19-01-01"}, "Invalid $4"),
    ({"$4": 20240101}, "Invalid $4"),
    ({"$5": "9999-12-31"}, "Invalid $5"),
    ({"$5": None}, "$5 is missing"),
    ({"$4": "2024-01-02", "$5": "2024-01-01"}, "Invalid $5"),
    ({"$6": 5}, "Invalid $6"),
    ({"$6": "x" * 65}, "Invalid $6"),
    ({"$6": "A\u0000B"}, "Invalid $6"),
    ({"$10": ["x"]}, "Invalid $10"),
    ({"$10": "x" * 65}, "Invalid $10"),
]


def test_a_bad_question_is_a_sealed_failure(partner: Partner) -> None:
    partner.ask("payout", payout())
    wrong = []
    for changed, text in BAD_QUESTIONS:
        answer = partner.ask("status", status(**changed))
        if answer != {"status": 400, "message": text, "length": 0, "results": []}:
            wrong.append((changed, answer))
    assert not wrong


def test_what_is_no_object_fails(partner: Partner) -> None:
    answer = partner.ask("status", ["$1"])
    assert (answer["status"], answer["message"]) == (400, "Invalid RequestData")
