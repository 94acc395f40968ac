"""Measures the pages of :mod:`tests.scale.pages` over long lists: ``script/measure_lists``.

Makes a database of its own, on SQLite in a temporary directory or on the PostgreSQL server of
SEALGATE_TEST_DATABASE_URL, and drops it afterwards. Every page is opened through Django, as its
administrator does; its statements are then run again by themselves, results fetched, which is the
time shown as *SQL*. Exits with 1 if a page's SQL is slower than the aim.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.scale import LOOK_THROUGH

_ROOT: Final = Path(__file__).resolve().parents[2]
#: Milliseconds of SQL a page may take at the 95th percentile.
AIM: Final = 100.0
#: How many times longer it may take than over a hundredth of the rows, at its best: what else the
#: machine does makes some times longer, and none shorter. Below _NOISE ms counts as that much.
GROWTH: Final = 2.0
_NOISE: Final = 5.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What one page took: milliseconds, and how many statements."""

    name: str
    statements: int
    sql_best: float
    sql_p50: float
    sql_p95: float
    page_p50: float
    page_p95: float
    plans: tuple[str, ...] = ()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure on each database, small and large, and print a table; returns the exit status."""
    given = _parser().parse_args(arguments)
    if given.worker:
        print(json.dumps([asdict(figures) for figures in _measure(given)]))
        return 0
    console = Console(stderr=False, width=max(110, Console().width))
    is_good = True
    for database in given.database:
        with ExitStack() as stack:
            # Of the small one the best time is enough.
            few = _run(given, _database(database, stack), max(1000, given.rows // 100), times=5)
            many = _run(given, _database(database, stack), given.rows, times=given.times)
        is_good &= _show(console, database, given, few, many)
    return 0 if is_good else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="script/measure_lists", description=__doc__)
    parser.add_argument("--database", nargs="+", choices=("sqlite", "postgresql"))
    parser.add_argument("--rows", type=int, default=1_000_000, help="exchanges, and audit entries")
    parser.add_argument("--times", type=int, default=20, help="how often each page is opened")
    parser.add_argument("--only", default="", help="pages whose name begins so")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.set_defaults(database=["sqlite", "postgresql"])
    return parser


def _database(kind: str, stack: ExitStack) -> str:
    """Return the URL of an empty database that goes away with ``stack``; "" for SQLite."""
    if kind == "sqlite":
        return ""
    from tests.support.services import fresh_postgresql  # noqa: PLC0415

    return stack.enter_context(fresh_postgresql())


def _run(given: argparse.Namespace, database: str, rows: int, *, times: int) -> list[Figures]:
    """Measure in a process of its own: Django takes one set of settings for good."""
    command = [sys.executable, "-m", "tests.scale.measure", "--worker", "--rows", str(rows)]
    done = subprocess.run(
        [*command, "--times", str(times), "--only", given.only],
        cwd=_ROOT,
        env={**os.environ, "SEALGATE_TEST_DATABASE_URL": database, "SEALGATE_TEST_REDIS_URL": ""},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [Figures(**{**row, "plans": tuple(row["plans"])}) for row in json.loads(done.stdout)]


def _show(
    console: Console,
    database: str,
    given: argparse.Namespace,
    few: list[Figures],
    many: list[Figures],
) -> bool:
    table = Table(
        title=f"{database}: {given.rows:,} exchanges, {given.rows:,} audit entries, "
        f"{given.rows // 10:,} keys; ms over {given.times} times",
        box=None,
    )
    table.add_column("page", no_wrap=True)
    for name in (
        "statements",
        "SQL best",
        "p50",
        "p95",
        "page p50",
        "p95",
        "1/100: best",
        "grows",
    ):
        table.add_column(name, justify="right")
    is_good = True
    slow: list[Figures] = []
    for before, after in zip(few, many, strict=True):
        growth = max(after.sql_best, _NOISE) / max(before.sql_best, _NOISE)
        may_grow = after.name in LOOK_THROUGH
        is_bad = not may_grow and (after.sql_p95 > AIM or growth > GROWTH)
        is_good &= not is_bad
        if is_bad:
            slow.append(after)
        table.add_row(
            after.name,
            str(after.statements),
            *(
                f"{figure:.1f}"
                for figure in (
                    after.sql_best,
                    after.sql_p50,
                    after.sql_p95,
                    after.page_p50,
                    after.page_p95,
                )
            ),
            f"{before.sql_best:.1f}",
            f"x {growth:.1f}{' (may)' if may_grow else ''}",
            style="red" if is_bad else "",
        )
    console.print(table)
    for figures in slow:
        console.print(f"\n[red]{figures.name}[/red]")
        for plan in figures.plans:
            console.print(plan, markup=False, highlight=False, soft_wrap=True)
    exempt = [figures.sql_p95 for figures in many if figures.name in LOOK_THROUGH]
    worst = max(figures.sql_p95 for figures in many if figures.name not in LOOK_THROUGH)
    console.print(
        f"{database}: {'every' if is_good else 'NOT every'} page within the aim "
        f"({AIM:.0f} ms of SQL at p95, growth x {GROWTH:.0f}); the slowest took {worst:.1f} ms, "
        f"those that may look through their rows {max(exempt, default=0.0):.1f} ms.\n"
    )
    return is_good


# --- in the process of one database ----------------------------------------------------------


def _measure(given: argparse.Namespace) -> list[Figures]:
    with tempfile.TemporaryDirectory(prefix="sealgate-lists-") as folder:
        os.environ["TMPDIR"] = folder
        tempfile.tempdir = folder
        os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
        import django  # noqa: PLC0415

        django.setup()
        from django.core.management import call_command  # noqa: PLC0415

        call_command("migrate", verbosity=0)
        return _measure_pages(given)


def _measure_pages(given: argparse.Namespace) -> list[Figures]:
    from django.contrib.auth.models import User  # noqa: PLC0415
    from django.db import connection  # noqa: PLC0415
    from django.test import Client as Browser  # noqa: PLC0415
    from django.utils import timezone  # noqa: PLC0415

    from flows_endpoint.traffic import count_what_is_over  # noqa: PLC0415
    from tests.scale.filling import Size, fill  # noqa: PLC0415
    from tests.scale.pages import pages  # noqa: PLC0415

    size = Size(exchanges=given.rows, entries=given.rows, keys=max(1000, given.rows // 10))
    browser = Browser(HTTP_HOST="localhost")
    found: list[Figures] = []
    bar = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*bar, console=Console(stderr=True)) as progress:
        task = progress.add_task(f"{connection.vendor}: rows", total=size.total)
        fill(size, lambda rows: progress.advance(task, rows))
        count_what_is_over(timezone.now())  # as the worker does
        browser.force_login(User.objects.create_superuser("root"))
        chosen = [page for page in pages() if page.name.startswith(given.only)]
        task = progress.add_task(f"{connection.vendor}: pages", total=len(chosen))
        for page in chosen:
            found.append(_figures(browser, page.name, page.url, given.times))
            progress.advance(task)
    return found


def _figures(browser: Any, name: str, url: str, times: int) -> Figures:
    from django.db import connection  # noqa: PLC0415

    from tests.scale.statements import plan, run, said  # noqa: PLC0415

    whole = []
    for _ in range(times):
        began = time.perf_counter()
        answer = browser.get(url)
        whole.append(_since(began))
        assert answer.status_code == 200, (url, answer.status_code)
    statements = said(browser, url)
    alone = []
    for _ in range(times):
        began = time.perf_counter()
        for statement in statements:
            run(connection, statement)
        alone.append(_since(began))
    return Figures(
        name,
        len(statements),
        min(alone),
        *_percentiles(alone),
        *_percentiles(whole),
        plans=tuple(
            f"{statement.text[:300]}…\n{plan(connection, statement)}"
            for statement in statements
            if statement.is_about_long_tables
        ),
    )


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000


def _percentiles(milliseconds: list[float]) -> tuple[float, float]:
    cuts = quantiles(milliseconds, n=20, method="inclusive")
    return cuts[9], cuts[18]


if __name__ == "__main__":
    sys.exit(main())
