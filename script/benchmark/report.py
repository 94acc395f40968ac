"""What a person gets to see: the numbers, then aim by aim whether they are enough."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from script.benchmark import machine
from script.benchmark.aims import Verdict, judge
from script.benchmark.load import Run
from script.benchmark.machine import Cores
from script.benchmark.measure import OnDatabase
from script.benchmark.traffic import ALL

TITLES: Final = {kind.name: kind.title for kind in ALL}


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run."""

    machine: str
    cores: Cores
    alone: Mapping[str, float]
    bare: Mapping[str, Run]
    databases: Sequence[OnDatabase]

    def verdicts(self, measured: OnDatabase) -> list[Verdict]:
        """Return the verdicts on what was measured on one database."""
        return judge(self.alone, self.bare, measured)

    @property
    def all_reached(self) -> bool:
        """Return whether every aim was reached and everything could be measured."""
        return all(
            not measured.faults and all(verdict.reached for verdict in self.verdicts(measured))
            for measured in self.databases
        )


def show(report: Report, console: Console) -> None:
    """Print the run."""
    console.print(report.machine)
    console.print(
        "server and load generator have a core each"
        if report.cores.are_apart
        else "server and load generator share one core: rates say little, ratios something",
        f"load of the machine at the end: {machine.load_average()}",
        sep="; ",
    )
    alone = table("The cryptography alone", "operation", "a second", "µs")
    for name, rate in report.alone.items():
        alone.add_row(name, f"{rate:,.0f}", f"{1e6 / rate:,.0f}")
    console.print(alone)
    bare = _runs_table("Bare DRF views, same server")
    _add_run(bare, "parses JSON", report.bare["json"])
    _add_run(bare, "signature, RSA, AES-GCM", report.bare["flow"])
    console.print(bare)
    for measured in report.databases:
        paths = _runs_table(f"Sealgate on {measured.name}")
        for name, run in measured.runs.items():
            _add_run(paths, TITLES[name], run)
        console.print(paths)
        for name, fault in measured.faults.items():
            console.print(f"✗ {TITLES.get(name, name)}: {fault}", style="red")
        aims = table(f"Aims on {measured.name}", "what", "aim", "measured", "")
        for verdict in report.verdicts(measured):
            mark = "[green]✓ pass[/]" if verdict.reached else "[red]✗ fail[/]"
            aims.add_row(verdict.what, verdict.aim, verdict.value, mark)
        console.print(aims)


def as_json(report: Report) -> str:
    """Return the numbers and verdicts of the run as JSON text."""
    return json.dumps(
        {
            "machine": report.machine,
            "pinned": report.cores.are_apart,
            "alone": dict(report.alone),
            "bare": {name: asdict(run) for name, run in report.bare.items()},
            "databases": [
                asdict(measured)
                | {"aims": [asdict(verdict) for verdict in report.verdicts(measured)]}
                for measured in report.databases
            ],
        },
        indent=2,
        ensure_ascii=False,
    )


def _runs_table(title: str) -> Table:
    return table(title, "path", "req/s", "req/CPU-s", "CPU µs", "of a core", "p50 ms", "p99 ms")


def _add_run(table: Table, name: str, run: Run) -> None:
    table.add_row(
        name,
        f"{run.rate:,.0f}",
        f"{run.core_rate:,.0f}",
        f"{1e6 / run.core_rate:,.0f}" if run.core_rate else "",
        f"{run.busy:.0%}",
        f"{run.p50_ms:.1f}",
        f"{run.p99_ms:.1f}",
    )


def table(title: str, first: str, *others: str) -> Table:
    """Return an empty table in the look of all of them."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table
