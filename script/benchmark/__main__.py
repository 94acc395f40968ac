"""The command: measure, print the table, draw the picture, say pass or fail."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from rich.console import Console

from script.benchmark import machine, measure, picture, profile, report, services, soak
from script.benchmark.load import require_wrk
from script.benchmark.machine import Cores
from script.benchmark.measure import Plan
from script.benchmark.outbox import measure as outbox
from script.benchmark.outbox import report as outbox_report
from script.benchmark.server import ServerError
from script.benchmark.services import MissingError, Services

#: Exit codes: every aim reached, some missed, nothing could be measured.
REACHED, MISSED, NOT_MEASURED = 0, 1, 2
_DATABASES: Final = ("postgresql", "sqlite")
_QUICK, _LONG = 3.0, 15.0
#: Deliveries that wait while the outbox is measured. A million takes SQLite too long to write.
_BACKLOGS: Final = {"postgresql": (1_000, 100_000, 1_000_000), "sqlite": (1_000, 100_000)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    given = _parser().parse_args(arguments)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    cores = machine.share_cores()
    try:
        if given.what == "callbacks":
            return _callbacks(given, cores, console)
        require_wrk()
        if given.what == "soak":
            with _services(given.database[0], cores) as (chosen, var):
                return soak.run(chosen, var, cores, given.minutes, console)
        if given.what == "profile":
            name, file = (given.only or ["whatsapp"])[0], given.svg or Path("profile.svg")
            with _services(given.database[0], cores) as (chosen, var):
                drawn = profile.run(chosen, var, cores, name, given.seconds or _LONG)
            file.write_text(drawn, encoding="utf-8")
            return REACHED
        return _benchmark(given, cores, console)
    except (MissingError, ServerError) as error:
        console.print(f"script/bench: {error}", style="red")
        return NOT_MEASURED


def _benchmark(given: argparse.Namespace, cores: Cores, console: Console) -> int:
    plan = Plan(
        seconds=given.seconds or (_QUICK if given.quick else _LONG),
        only=frozenset(given.only or ()),
        clients=given.clients,
    )
    with _status(console) as say:
        alone, bare = measure.baseline(plan, cores, say)
        results = []
        for name in given.database:
            with _services(name, cores) as (chosen, var):
                results.append(measure.on_database(chosen, var, plan, cores, say))
    whole = report.Report(machine.description(), cores, alone, bare, results)
    report.show(whole, console)
    if given.json is not None:
        given.json.write_text(report.as_json(whole), encoding="utf-8")
    if given.svg is not None:
        given.svg.write_text(picture.draw(whole), encoding="utf-8")
    return REACHED if whole.all_reached else MISSED


def _callbacks(given: argparse.Namespace, cores: Cores, console: Console) -> int:
    seconds = given.seconds or (_QUICK if given.quick else _LONG)
    results = []
    with _status(console) as say:
        for name in given.database:
            sizes = [rows for rows in _BACKLOGS[name] if rows <= 10_000 or not given.quick]
            with _services(name, cores) as (chosen, var):
                results.append(
                    outbox.on_database(chosen, var, sizes, seconds, cores=cores, say=say)
                )
    whole = outbox_report.Report(machine.description(), cores, results)
    outbox_report.show(whole, console)
    if given.json is not None:
        given.json.write_text(outbox_report.as_json(whole), encoding="utf-8")
    return REACHED if whole.all_reached else MISSED


@contextmanager
def _services(name: str, cores: Cores) -> Iterator[tuple[Services, Path]]:
    with tempfile.TemporaryDirectory(prefix="sealgate-bench-") as folder:
        var = Path(folder)
        make: Callable[[], AbstractContextManager[Services]] = (
            (lambda: services.embedded(var))
            if name == "sqlite"
            else (lambda: services.production(var, cores))
        )
        with make() as chosen:
            yield chosen, var


@contextmanager
def _status(console: Console) -> Iterator[measure.Say]:
    if not console.is_terminal:
        yield lambda text: print(text, file=sys.stderr, flush=True)
        return
    with console.status("") as status:
        yield status.update


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="script/bench",
        description="Measure what a request costs beside the cryptography in it.",
        epilog="Exit code: 0 every aim was reached, 1 some were missed, 2 nothing was measured.",
    )
    parser.add_argument(
        "what",
        nargs="?",
        choices=("run", "soak", "profile", "callbacks"),
        default="run",
        help="run (default)",
    )
    parser.add_argument(
        "--database",
        nargs="+",
        choices=_DATABASES,
        default=list(_DATABASES),
        help="on which (default: both; soak: the first)",
    )
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help=f"beginnings of {', '.join(measure.names())}"
    )
    parser.add_argument("--quick", action="store_true", help=f"runs of {_QUICK:g} s, not {_LONG:g}")
    parser.add_argument("--seconds", type=float, metavar="N", help="length of each run")
    parser.add_argument(
        "--clients", type=int, default=measure.MANY, metavar="N", help="how many clients at last"
    )
    parser.add_argument("--minutes", type=float, default=15.0, metavar="N", help="length of a soak")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers as JSON")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write the picture as SVG")
    return parser


def _end(number: int, _: FrameType | None) -> None:
    # As an exception, so that what was started is ended too.
    sys.exit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
