"""script/bench callbacks: what counts as an aim reached."""

from __future__ import annotations

import json

import pytest

from script.benchmark.machine import Cores
from script.benchmark.outbox import report
from script.benchmark.outbox.measure import Backlog, Delay, OnDatabase
from script.benchmark.outbox.play import Rate

pytestmark = pytest.mark.once


def measured(
    *, cpu: float = 2.0, p99_ms: float = 250.0, claim_ms: float = 15.0, dead_ms: float = 109.0
) -> OnDatabase:
    sent, delay = Rate(1000, 10.0, cpu), Delay(100, 20.0, p99_ms)
    return OnDatabase(
        "PostgreSQL + Redis",
        bare=[Rate(900, 1.0, 0.9), Rate(1100, 1.0, 1.1)],
        backlogs=[
            Backlog(1_000, 10.0, 12.0, sent, delay),
            Backlog(1_000_000, claim_ms, 99.0, sent, delay),
        ],
        all_well=Delay(100, 20.0, 100.0),
        one_dead=Delay(100, 20.0, dead_ms),
    )


def verdicts(measured: OnDatabase) -> list[tuple[str, bool]]:
    return [(verdict.value, verdict.reached) for verdict in report.judge(measured)]


def test_each_aim_is_judged_by_its_own_number() -> None:
    assert verdicts(measured()) == [
        ("0.50", True),
        ("250 ms", True),
        ("1.50", True),
        ("1.09", True),
    ]
    assert verdicts(measured(cpu=2.01, p99_ms=251, claim_ms=15.1, dead_ms=110)) == [
        ("0.50", False),
        ("251 ms", False),
        ("1.51", False),
        ("1.10", False),
    ]


def test_a_run_passes_only_when_every_aim_is_reached() -> None:
    whole = report.Report("a machine", Cores(0, 1), [measured()])
    assert whole.all_reached
    assert not report.Report("a machine", Cores(0, 1), [measured(cpu=3)]).all_reached
    said = json.loads(report.as_json(whole))
    assert said["databases"][0]["backlogs"][1]["claim_ms"] == 15.0
    assert [aim["reached"] for aim in said["databases"][0]["aims"]] == [True] * 4


def test_nothing_measured_is_nothing_reached() -> None:
    empty = OnDatabase("SQLite")
    assert report.judge(empty) == []
    assert not report.Report("a machine", Cores(0, 1), [measured(), empty]).all_reached
