"""Asking how calls went."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from flows_endpoint.kairos.errors import Code
from flows_endpoint.kairos.models import CallAttempt, OutboundCall
from tests.flows_endpoint.kairos.partner import PULL, Partner, a_call, counts, error
from tests.flows_endpoint.kairos.test_story import place, play, step

pytestmark = pytest.mark.django_db
Make = Callable[..., Partner]


def test_a_call_that_waits(partner: Partner) -> None:
    call = partner.sealed(partner.request())["call-details"][0]["phonon-uuid"]
    assert partner.pull([call]) == {
        "api-response-code": 200,
        "api-response-message": "Success",
        "data": [
            {
                "phonon-uuid": call,
                "client-identifier": "order-1",
                "status": "SCHEDULED",
                "callDetails": [],
            }
        ],
    }


def test_all_attempts_or_the_last(partner: Partner) -> None:
    call = place(partner, "910000000017", "910000000018", "910000000016")
    step()
    under_way = partner.pull([str(call.pk)])["data"][0]
    assert (under_way["status"], under_way["callDetails"]) == ("IN_PROGRESS", [])
    play(call)
    details = [a.details()["call_details"] for a in CallAttempt.objects.order_by("number")]
    assert partner.pull([str(call.pk)])["data"][0]["callDetails"] == details
    last = partner.pull([str(call.pk)], "LAST")["data"][0]
    assert last["callDetails"] == details[-1:]
    assert last["status"] in ("COMPLETED", "PARTIAL_COMPLETE")


def test_order_is_the_questions_and_each_id_counts_once(partner: Partner) -> None:
    answer = partner.sealed(partner.request(*[a_call(str(at)) for at in range(3)]))
    ids = [entry["phonon-uuid"] for entry in answer["call-details"]]
    asked = [ids[2], str(uuid.uuid4()), ids[0], "nonsense", ids[2].upper()]
    assert [entry["phonon-uuid"] for entry in partner.pull(asked)["data"]] == [ids[2], ids[0]]


def test_calls_of_others_are_not_told(partner: Partner, make_partner: Make) -> None:
    call = partner.sealed(partner.request())["call-details"][0]["phonon-uuid"]
    other = make_partner()
    reply = other.pull([call])
    assert reply == {
        "api-response-code": 213,
        "api-response-message": "No Data Available",
        "data": [],
    }


def test_no_data_is_exactly_the_contracts(partner: Partner) -> None:
    body = {
        "security-id": partner.security_id,
        "flow-id": partner.flow_id,
        "phonon-uuids": [str(uuid.uuid4())],
        "fetch-attempt": "ALL",
    }
    reply = partner.post(PULL, body)
    assert reply.content == (
        b'{"api-response-code":213,"api-response-message":"No Data Available","data":[]}'
    )


@pytest.mark.parametrize(
    ("ids", "attempts", "changes", "code"),
    [
        ([str(uuid.uuid4())] * 201, "ALL", {}, 303),
        ([], "ALL", {}, 302),
        (None, "ALL", {}, 302),
        ("x", "ALL", {}, 210),
        ([5], "ALL", {}, 210),
        ([None], "ALL", {}, 210),
        (["x"], "FIRST", {}, 210),
        (["x"], None, {}, 210),
        (["x"], ["ALL"], {}, 210),
        (["x"], "ALL", {"security-id": "0" * 64}, 202),
        (["x"], "ALL", {"flow-id": "Zz000000"}, 301),
    ],
)
def test_refusals(
    partner: Partner, ids: Any, attempts: Any, changes: dict[str, Any], code: int
) -> None:
    before = counts()
    body = {
        "security-id": partner.security_id,
        "flow-id": partner.flow_id,
        "phonon-uuids": ids,
        "fetch-attempt": attempts,
        **changes,
    }
    assert partner.post(PULL, body).content == error(Code(code))
    assert counts() == before


def test_200_ids_in_two_queries(
    partner: Partner, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    answer = partner.sealed(partner.request(*[a_call(str(at)) for at in range(200)]))
    ids = [entry["phonon-uuid"] for entry in answer["call-details"]]
    with django_assert_max_num_queries(12):
        assert len(partner.pull(ids)["data"]) == 200
    assert OutboundCall.objects.count() == 200
