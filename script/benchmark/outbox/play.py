"""The processes of a run: clerk, sink, worker and the bare loop, each on its core."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from script import processes
from script.benchmark.machine import Cores, cpu_seconds, family, pin
from script.benchmark.server import ROOT, Installation, ServerError

_STOP_SECONDS: Final = 30


@dataclass(slots=True)
class _Talker:
    """A process that answers each line with one."""

    process: subprocess.Popen[bytes]
    log: Path

    def ask(self, line: str) -> Any:
        """Return the answer, read as JSON. Raises ServerError."""
        process = self.process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line.encode() + b"\n")
        process.stdin.flush()
        if not (answer := process.stdout.readline()):
            said = self.log.read_text(encoding="utf-8", errors="replace")[-1500:]
            raise ServerError(f"A process of the benchmark ended: {said}")
        return json.loads(answer)


class Clerk(_Talker):
    """The database side (script.benchmark.outbox.clerk)."""

    def do(self, name: str, **arguments: Any) -> Any:
        """Give an order and return its answer."""
        return self.ask(json.dumps([name, arguments]))


class Sink(_Talker):
    """The receiver (script.benchmark.outbox.sink)."""

    url: str = ""

    def arrivals(self) -> dict[str, float]:
        """Return when each delivery came first, in Unix time."""
        times: dict[str, float] = self.ask("arrivals")
        return times

    def count(self) -> int:
        """Return how many requests came."""
        return int(self.ask("count"))


@contextmanager
def clerk(installation: Installation) -> Iterator[Clerk]:
    """Start the clerk, on the core of everything that is not measured."""
    command = [sys.executable, "-m", "script.benchmark.outbox.clerk"]
    with _running(command, installation.environment(), installation.var / "clerk.log") as process:
        yield Clerk(process, installation.var / "clerk.log")


@contextmanager
def sink(var: Path) -> Iterator[Sink]:
    """Start the receiver."""
    log = var / "sink.log"
    with _running([sys.executable, "-m", "script.benchmark.outbox.sink"], None, log) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        running = Sink(process, log)
        running.url = f"http://127.0.0.1:{port}"
        yield running


@contextmanager
def _running(
    command: list[str], environment: dict[str, str] | None, log: Path, *, talks: bool = True
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE if talks else subprocess.DEVNULL,
            stdout=subprocess.PIPE if talks else output,
            stderr=output,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            processes.end(process, _STOP_SECONDS)


@dataclass(slots=True)
class Worker:
    """One worker process group."""

    process: subprocess.Popen[bytes]

    def cpu_seconds(self) -> float:
        """Return its processor time so far."""
        return cpu_seconds(family(self.process.pid))


@contextmanager
def worker(installation: Installation) -> Iterator[Worker]:
    """Start a worker as ``script/server`` does, on the core of what is measured."""
    command = [
        *(str(Path(sys.executable).parent / "celery"), "--app", "config", "--quiet", "worker"),
        *("--pool", "threads", "--concurrency", "8", "--hostname", "bench@%h"),
        *("--without-gossip", "--without-mingle", "--loglevel", "warning"),
    ]
    log = installation.var / "worker.log"
    with _running(command, installation.environment(), log, talks=False) as process:
        pin([process.pid], installation.cores.server)
        yield Worker(process)


@dataclass(frozen=True, slots=True)
class Rate:
    """How many in how many seconds, and seconds of processor time."""

    count: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        """Return how many a second."""
        return self.count / self.seconds

    @property
    def core_rate(self) -> float:
        """Return how many a second of processor time."""
        return self.count / self.cpu if self.cpu else 0.0


def bare_loop(messages: Path, seconds: float, cores: Cores) -> Rate:
    """Return what a loop does that only posts, on the worker's core. Raises ServerError."""
    command = [sys.executable, "-m", "script.benchmark.outbox.loop", str(messages), str(seconds)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    pin([process.pid], cores.server)
    said, failed = process.communicate()
    if process.returncode:
        raise ServerError(f"The bare loop failed: {failed.decode(errors='replace')[-500:]}")
    return Rate(**json.loads(said))


def wait_for(sink: Sink, count: int, seconds: float = 60) -> None:
    """Return when so many requests came since the last reset. Raises ServerError."""
    deadline = time.monotonic() + seconds
    while sink.count() < count:
        if time.monotonic() > deadline:
            raise ServerError(f"The worker delivered {sink.count()} of {count}.")
        time.sleep(0.05)


def sustained(sink: Sink, worker: Worker, seconds: float) -> Rate:
    """Return what the worker delivers, once it is under way. Raises ServerError."""
    wait_for(sink, sink.count() + 300)
    count, began, spent = sink.count(), time.perf_counter(), worker.cpu_seconds()
    time.sleep(seconds)
    lasted, spent = time.perf_counter() - began, worker.cpu_seconds() - spent
    return Rate(sink.count() - count, lasted, spent)
