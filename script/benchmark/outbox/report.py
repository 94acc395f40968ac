"""What a person gets to see of the outbox: the numbers, and aim by aim whether they are enough."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from rich.console import Console

from script.benchmark import machine
from script.benchmark.aims import Verdict
from script.benchmark.machine import Cores
from script.benchmark.outbox.measure import MOST_CLAIMED, OnDatabase
from script.benchmark.report import table

_OF_BARE: Final = 0.5
_IDLE_P99_MS: Final = 250.0
_CLAIM_GROWTH: Final = 1.5
_DEAD_GROWTH: Final = 1.10


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run."""

    machine: str
    cores: Cores
    databases: Sequence[OnDatabase]

    @property
    def all_reached(self) -> bool:
        """Return whether every aim was reached, on each database."""
        judged = [judge(each) for each in self.databases]
        return all(some and all(verdict.reached for verdict in some) for some in judged)


def judge(measured: OnDatabase) -> list[Verdict]:
    """Return a verdict on each aim. Ratios of rates compare seconds of processor time."""
    return list(_verdicts(measured))


def _verdicts(measured: OnDatabase) -> Iterator[Verdict]:
    if not measured.backlogs:
        return
    first, last = measured.backlogs[0], measured.backlogs[-1]
    ratio = first.sent.core_rate / measured.bare_core_rate
    yield Verdict("deliveries", f"≥ {_OF_BARE} of a bare loop", f"{ratio:.2f}", ratio >= _OF_BARE)
    yield Verdict(
        "first attempt when idle, p99",
        f"≤ {_IDLE_P99_MS:g} ms",
        f"{first.delay.p99_ms:.0f} ms",
        first.delay.p99_ms <= _IDLE_P99_MS,
    )
    if last.rows > first.rows:
        grown = last.claim_ms / first.claim_ms
        yield Verdict(
            f"claim time with {last.rows:,} rows",
            f"≤ {_CLAIM_GROWTH} of that with {first.rows:,}",
            f"{grown:.2f}",
            grown <= _CLAIM_GROWTH,
        )
    if measured.all_well and measured.one_dead:
        changed = measured.one_dead.p99_ms / measured.all_well.p99_ms
        yield Verdict(
            "p99 of 99 endpoints, one more dead",
            f"< {_DEAD_GROWTH} of that with it well",
            f"{changed:.2f}",
            changed < _DEAD_GROWTH,
        )


def show(report: Report, console: Console) -> None:
    """Print the run."""
    console.print(report.machine)
    console.print(f"load of the machine at the end: {machine.load_average()}")
    for measured in report.databases:
        rates = table(f"Deliveries on {measured.name}", "", "a second", "a CPU second", "CPU µs")
        for title, rate, core_rate in [
            ("bare loop, same HTTP library", measured.bare_rate, measured.bare_core_rate),
            *(
                (f"{each.rows:,} waiting elsewhere", each.sent.rate, each.sent.core_rate)
                for each in measured.backlogs
            ),
        ]:
            micros = f"{1e6 / core_rate:,.0f}" if core_rate else ""
            rates.add_row(title, f"{rate:,.0f}", f"{core_rate:,.0f}", micros)
        console.print(rates)
        claims = table(
            f"Claiming {MOST_CLAIMED} and first attempts on {measured.name}",
            *("rows", "claim ms", "p99 ms", "rows/s", "first attempt p50 ms", "p99 ms"),
        )
        for each in measured.backlogs:
            claims.add_row(
                f"{each.rows:,}",
                f"{each.claim_ms:.1f}",
                f"{each.claim_p99_ms:.1f}",
                f"{each.claimed_per_second:,.0f}",
                f"{each.delay.p50_ms:.0f}",
                f"{each.delay.p99_ms:.0f}",
            )
        console.print(claims)
        fair = table(f"100 endpoints on {measured.name}", "", "deliveries", "p50 ms", "p99 ms")
        for title, delay in (("all well", measured.all_well), ("one dead", measured.one_dead)):
            if delay is not None:
                figures = (f"{delay.count:,}", f"{delay.p50_ms:.0f}", f"{delay.p99_ms:.0f}")
                fair.add_row(title, *figures)
        console.print(fair)
        aims = table(f"Aims on {measured.name}", "what", "aim", "measured", "")
        for verdict in judge(measured):
            mark = "[green]✓ pass[/]" if verdict.reached else "[red]✗ fail[/]"
            aims.add_row(verdict.what, verdict.aim, verdict.value, mark)
        console.print(aims)


def as_json(report: Report) -> str:
    """Return numbers, plans and verdicts of the run as JSON text."""
    return json.dumps(
        {
            "machine": report.machine,
            "pinned": report.cores.are_apart,
            "databases": [
                asdict(each) | {"aims": [asdict(verdict) for verdict in judge(each)]}
                for each in report.databases
            ],
        },
        indent=2,
        ensure_ascii=False,
    )
