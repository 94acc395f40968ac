"""Whether every live process has taken in a change: what a promotion waits for.

A staged version is promoted only when each process opens with it; otherwise one that still lags
would refuse what the others seal. Every web and worker process reports what it has loaded
(:mod:`tenants.reporter`). A process whose report is older than :func:`longest_silence` no longer
counts: it is gone, or it looks for changes before each request until it reports again.

Times are the database's, so the clocks of the machines may differ.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models.functions import Now

from tenants.models import Key, ProcessReport
from tenants.serving_threads import seats

#: How many report intervals a process may be silent.
_SILENT_INTERVALS: Final = 3
#: Seconds between two looks at the reports.
_LOOK_SECONDS: Final = 0.1
#: After how long a row of a process that is gone is deleted.
KEPT: Final = timedelta(hours=1)


class Standing(StrEnum):
    """How a process stands to the keys of a flow."""

    LOADED = "loaded"
    BEHIND = "has not loaded it yet"
    CANNOT_LOAD = "cannot load the keys of this flow"


@dataclass(frozen=True, slots=True)
class Process:
    """A live process; ``silent`` is the number of seconds since its last report."""

    name: str
    silent: float
    epoch: int
    cannot_load: frozenset[str]

    def standing(self, flow_id: UUID, epoch: int) -> Standing:
        """Return how it stands to the flow as it was at ``epoch``."""
        if str(flow_id) in self.cannot_load:
            return Standing.CANNOT_LOAD
        return Standing.LOADED if self.epoch >= epoch else Standing.BEHIND


@dataclass(frozen=True, slots=True)
class Rollout:
    """How every live process stands to one change."""

    processes: tuple[tuple[Process, Standing], ...]

    @property
    def missing(self) -> tuple[tuple[Process, Standing], ...]:
        """Return the processes that have not loaded it."""
        return tuple(item for item in self.processes if item[1] is not Standing.LOADED)

    @property
    def is_complete(self) -> bool:
        """Return whether there is nobody to wait for; so it is where no process runs."""
        return not self.missing

    @property
    def summary(self) -> str:
        """Return *Loaded by 3 of 4 processes*."""
        total = len(self.processes)
        noun = "process" if total == 1 else "processes"
        return f"Loaded by {total - len(self.missing)} of {total} {noun}"


def longest_silence() -> float:
    """Return the seconds after which a silent process no longer counts."""
    return _SILENT_INTERVALS * float(settings.PROCESS_REPORT_SECONDS)


def live_processes() -> tuple[Process, ...]:
    """Return the processes that count, by name."""
    limit = longest_silence()
    found = []
    for row in ProcessReport.objects.annotate(asked_at=Now()):
        silent = (row.asked_at - row.seen_at).total_seconds()
        if silent <= limit:
            found.append(Process(str(row), max(silent, 0.0), row.epoch, frozenset(row.cannot_load)))
    return tuple(found)


def rollout_of(key: Key, processes: Iterable[Process] | None = None) -> Rollout:
    """Return how ``processes`` (every live one, unless given) stand to a version.

    What changed of its flow since does not matter.
    """
    return _rollout(key.flow_id, key.since_epoch, processes)


def _rollout(flow_id: UUID, epoch: int, processes: Iterable[Process] | None = None) -> Rollout:
    counted = live_processes() if processes is None else processes
    return Rollout(tuple((process, process.standing(flow_id, epoch)) for process in counted))


def wait(
    flow_id: UUID,
    epoch: int,
    seconds: float,
    on_look: Callable[[Rollout], None] | None = None,
) -> Rollout:
    """Wait until every live process has loaded a flow as it was at ``epoch``.

    Returns the last look, after ``seconds`` at most.

    ``on_look`` gets each look that is not yet complete. Not to be called inside a transaction,
    which would keep the processes from reporting.
    """
    deadline = time.monotonic() + seconds
    while True:
        rollout = _rollout(flow_id, epoch)
        if rollout.is_complete:
            return rollout
        if on_look is not None:
            on_look(rollout)
        if time.monotonic() >= deadline:
            return rollout
        with seats.left():
            time.sleep(_LOOK_SECONDS)


def forget_gone() -> int:
    """Delete the rows of processes that are gone for long; returns how many there were."""
    deleted, _ = ProcessReport.objects.filter(seen_at__lt=Now() - KEPT).delete()
    return deleted
