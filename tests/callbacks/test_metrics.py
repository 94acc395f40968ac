"""Each recorded attempt is counted once, by its outcome."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from prometheus_client import REGISTRY

from callbacks import settle
from callbacks.channels import Result
from callbacks.claim import claim_due
from callbacks.settle import Finished
from tenants.lifecycle import IssuedFlow
from tests.callbacks.calls import called
from tests.callbacks.outbox import change, expire_lease, put

Make = Callable[..., IssuedFlow]
pytestmark = pytest.mark.django_db
OUTCOMES = ("delivered", "outage", "refused", "unsent")


def counted() -> dict[str, float]:
    found = {}
    for outcome in OUTCOMES:
        labels = {"channel": "callback", "outcome": outcome}
        found[outcome] = REGISTRY.get_sample_value("sealgate_callback_attempts_total", labels) or 0
    found["timed"] = (
        REGISTRY.get_sample_value("sealgate_callback_seconds_count", {"channel": "callback"}) or 0
    )
    return found


@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        (Result(status=200), "delivered"),
        (Result(status=503, error="http_503", is_outage=True), "outage"),
        (Result(status=400, error="http_400"), "refused"),
        (Result(status=410, error="http_410", is_permanent=True, disables=True), "refused"),
    ],
)
def test_a_call_counts_under_its_outcome(make_flow: Make, result: Result, outcome: str) -> None:
    put(make_flow("citcall", callback_url="http://127.0.0.1:9/hook").flow)
    before = counted()
    settle.record([called(claim_due(1)[0], result)])
    assert counted() == {
        **before,
        outcome: before[outcome] + 1,
        "timed": before["timed"] + 1,
    }


def test_what_was_not_sent_takes_no_time(make_flow: Make) -> None:
    put(make_flow("citcall", callback_url="http://127.0.0.1:9/hook").flow)
    before = counted()
    settle.record([Finished(claim_due(1)[0], Result(error="no_callback_url"))])
    assert counted() == {**before, "unsent": before["unsent"] + 1}


def test_a_late_result_that_is_dropped_does_not_count(make_flow: Make) -> None:
    delivery = put(make_flow("citcall", callback_url="http://127.0.0.1:9/hook").flow)
    (late,) = claim_due(1)
    expire_lease(delivery)
    before = counted()
    claim_due(1)
    assert settle.record([called(late, Result(status=200))]) == []
    assert counted() == before
    assert change(delivery).state == "pending"
