"""How a command waits until every process has loaded a staged version."""

from __future__ import annotations

import math
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.text import Text

from tenants.rollout import Rollout

#: Seconds a promotion waits for processes, unless told otherwise.
_WAIT: Final = 10.0


def add_arguments(verb: ArgumentParser) -> None:
    """Declare ``--wait`` and ``--force``."""
    verb.add_argument(
        "--wait",
        type=_seconds,
        default=_WAIT,
        metavar="SECONDS",
        help="How long to wait for processes that have not loaded the version yet; "
        "default %(default)s.",
    )
    verb.add_argument(
        "--force",
        type=_reason,
        metavar="REASON",
        help="Do not wait for them: such a process may then refuse requests. The reason stands in "
        "the audit trail.",
    )


@contextmanager
def shown() -> Iterator[Callable[[Rollout], None]]:
    """Yield what is told each look at the processes: a terminal shows who is waited for."""
    console = Console(stderr=True, highlight=False)
    with console.status("Waiting for the processes to load it") as line:

        def show(seen: Rollout) -> None:
            names = ", ".join(process.name for process, _ in seen.missing)
            line.update(Text(f"{seen.summary}. Waiting for {names}"))

        yield show


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise ArgumentTypeError("must be a number of seconds, such as 10.")
    return seconds


def _reason(text: str) -> str:
    if not text.strip():
        raise ArgumentTypeError("needs a reason.")
    return text.strip()
