"""What is measured of the outbox, in which order."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from script.benchmark.machine import Cores
from script.benchmark.measure import Say
from script.benchmark.outbox import play
from script.benchmark.outbox.play import Clerk, Rate, Sink
from script.benchmark.server import Installation
from script.benchmark.services import Services

#: Endpoints that are delivered to, and those whose deliveries are the backlog.
_SENT, _KEPT = 10, 100
#: Calls at once to each; the product's default.
_CONCURRENCY: Final = 16
#: Deliveries claimed at once, as the worker does.
MOST_CLAIMED: Final = 64
#: Deliveries a second the outbox is filled for. No worker process does that many.
_PLENTY: Final = 4000
#: Deliveries a second while nothing else is to be done, and with 100 endpoints.
_IDLE_RATE, _FAIR_RATE = 5.0, 40.0
#: Seconds after which what has not come counts as it stands.
_PATIENCE: Final = 30


@dataclass(frozen=True, slots=True)
class Delay:
    """Milliseconds from just before the commit of a delivery to its arrival."""

    count: int
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Backlog:
    """With so many deliveries due: what a claim of 64 takes, in milliseconds; and with as many
    on endpoints that are paused: what the worker delivers to others, and how soon when idle."""

    rows: int
    claim_ms: float
    claim_p99_ms: float
    sent: Rate
    delay: Delay

    @property
    def claimed_per_second(self) -> float:
        """Return how many deliveries a second one thread could claim."""
        return MOST_CLAIMED / self.claim_ms * 1000


@dataclass(slots=True)
class OnDatabase:
    """What was measured on one database."""

    name: str
    bare: list[Rate] = field(default_factory=list)
    backlogs: list[Backlog] = field(default_factory=list)
    #: Of 99 endpoints while the hundredth is well, and while it never answers.
    all_well: Delay | None = None
    one_dead: Delay | None = None
    plans: list[str] = field(default_factory=list)

    @property
    def bare_core_rate(self) -> float:
        """Return what the bare loop posts in a second of processor time, over all its runs."""
        return sum(run.count for run in self.bare) / sum(run.cpu for run in self.bare)

    @property
    def bare_rate(self) -> float:
        """Return what the bare loop posts in a second, over all its runs."""
        return sum(run.count for run in self.bare) / sum(run.seconds for run in self.bare)


@dataclass(frozen=True, slots=True)
class _Run:
    """One installation with the flows that are delivered to and those that keep the backlog."""

    installation: Installation
    sink: Sink
    clerk: Clerk
    sent: list[str]
    kept: list[str]
    seconds: float

    def backlog(self, rows: int) -> Backlog:
        """Measure with so many deliveries waiting."""
        clerk, kept = self.clerk, self.kept
        clerk.do("clear")
        clerk.do("backlog", flow_ids=kept, count=rows, due_in=-3600 - rows / 1000)
        count = max(30, int(10 * self.seconds))
        times = sorted(clerk.do("claims", count=count, most=MOST_CLAIMED))
        clerk.do("pause", flow_ids=kept, is_paused=True)
        with play.worker(self.installation) as worker:
            self._wait_for_worker(self.sent)
            delay = _told(self._delays(self.sent, _IDLE_RATE, 4 * self.seconds))
            many = int(_PLENTY * (self.seconds + 1))
            clerk.do("fill", flow_ids=self.sent, count=many, due_in=-3600)
            rate = play.sustained(self.sink, worker, self.seconds)
        clerk.do("pause", flow_ids=kept, is_paused=False)
        return Backlog(rows, _part(times, 0.5) * 1000, _part(times, 0.99) * 1000, rate, delay)

    def fairness(self) -> tuple[Delay, Delay]:
        """Return what 99 endpoints see while the hundredth is well, and while it is dead.

        Measured in turn, so that what else the machine does meets both alike.
        """
        well: list[float] = []
        dead: list[float] = []
        first = self.kept[0]
        self.clerk.do("clear")
        with play.worker(self.installation):
            self._wait_for_worker(self.kept)
            for is_dead in (False, True, True, False):
                url = self.sink.url + ("/dead" if is_dead else "")
                self.clerk.do("move", flow_id=first, url=url)
                time.sleep(2)  # until the worker has seen it
                delays = self._delays(self.kept, _FAIR_RATE, 2 * self.seconds, but=first)
                (dead if is_dead else well).extend(delays)
        return _told(well), _told(dead)

    def _wait_for_worker(self, flows: list[str]) -> None:
        self.sink.ask("reset")
        self.clerk.do("trickle", flow_ids=flows, rate=20.0, seconds=len(flows) / 20)
        play.wait_for(self.sink, len(flows))
        self.installation.services.pin(self.installation.cores)

    def _delays(
        self, flows: list[str], rate: float, seconds: float, *, but: str = ""
    ) -> list[float]:
        """Return seconds from commit to arrival at a steady rate, without those of ``but``."""
        self.sink.ask("reset")
        told = self.clerk.do("trickle", flow_ids=flows, rate=rate, seconds=seconds)
        made = {pk: at for pk, (flow, at) in told.items() if flow != but}
        deadline = time.monotonic() + _PATIENCE
        while not made.keys() <= (arrived := self.sink.arrivals()).keys():
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
        # One that did not come counts as if it had come now.
        return [arrived.get(pk, time.time()) - at for pk, at in made.items()]


def on_database(
    services: Services, var: Path, sizes: Sequence[int], seconds: float, *, cores: Cores, say: Say
) -> OnDatabase:
    """Return how the outbox does on ``services``. Raises ServerError."""
    measured = OnDatabase(services.name)
    installation = Installation(var, services, cores)
    say(f"{services.name}: tables and flows")
    installation.prepare()
    with play.sink(var) as sink, play.clerk(installation) as clerk:
        sent = clerk.do("flows", count=_SENT, url=sink.url, concurrency=_CONCURRENCY)
        kept = clerk.do("flows", count=_KEPT, url=sink.url, concurrency=256)
        messages = var / "messages"
        clerk.do("messages", flow_ids=sent, count=200, file=str(messages))
        run = _Run(installation, sink, clerk, sent, kept, seconds)
        for rows in sizes:
            say(f"{services.name}: {rows:,} deliveries are waiting")
            measured.bare.append(play.bare_loop(messages, seconds, cores))
            measured.backlogs.append(run.backlog(rows))
            if rows == sizes[-1] and services.database:
                measured.plans = clerk.do("explain", most=MOST_CLAIMED)
        say(f"{services.name}: 100 endpoints, and one of them dead")
        measured.all_well, measured.one_dead = run.fairness()
    return measured


def _told(delays: list[float]) -> Delay:
    times = sorted(delays)
    return Delay(len(times), _part(times, 0.5) * 1000, _part(times, 0.99) * 1000)


def _part(times: Sequence[float], part: float) -> float:
    """Return the value that ``part`` of the sorted ``times`` do not exceed."""
    return times[max(0, math.ceil(len(times) * part) - 1)]
