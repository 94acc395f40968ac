"""Two load generators: wrk, for how much goes through, and a paced one, for how long it takes."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from script.benchmark.server import Web
from script.benchmark.services import MissingError
from script.benchmark.traffic import Sent

_SCRIPT: Final = Path(__file__).with_name("replay.lua")
#: Connections that each send their next request as soon as the answer is there.
CONNECTIONS: Final = 12
#: How many more requests are sealed than a run is expected to need.
_RESERVE: Final = 1.35
#: How often, and with how many times as many, a run is begun again whose requests did not last.
_TRIES: Final = 4
_MORE: Final = 2.5


class LoadError(Exception):
    """A run cannot be judged. The message says why."""


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a run. ``rate`` is answers a second; ``core_rate`` those of a second of
    processor time of the server, which others that use the machine do not change."""

    requests: int
    rate: float
    core_rate: float
    p50_ms: float
    p99_ms: float

    @property
    def busy(self) -> float:
        """Return what part of a core the server had: 1 means that nothing held it up."""
        return self.rate / self.core_rate if self.core_rate else 0.0


def require_wrk() -> str:
    """Return the path of wrk. Raises MissingError."""
    program = shutil.which("wrk")
    if program is None:
        raise MissingError("There is no wrk. Install it (Debian: apt install wrk).")
    return program


def throughput(web: Web, stream: Iterator[Sent], seconds: float, var: Path) -> Run:
    """Return how much ``web`` serves of ``stream`` in ``seconds``, after a short warm-up.

    The warm-up also tells how many requests have to be sealed. Raises LoadError when answers
    failed, or the requests did not last.
    """
    warm = _until_enough(web, stream, 2000, 1, var)
    return _until_enough(web, stream, int(warm.rate * seconds * _RESERVE) + 500, seconds, var)


def _until_enough(web: Web, stream: Iterator[Sent], count: int, seconds: float, var: Path) -> Run:
    """Return a run of ``seconds`` that did not use up its requests."""
    for _ in range(_TRIES):
        run = _wrk(web, list(islice(stream, count)), seconds, var)
        if run is not None:
            return run
        count = int(count * _MORE)
    raise LoadError(f"{count} requests did not last for {seconds:g} s.")


def _wrk(web: Web, requests: Sequence[Sent], seconds: float, var: Path) -> Run | None:
    """Return the run, or None where ``requests`` did not last."""
    host = f"127.0.0.1:{web.port}"
    file = var / "requests"
    with file.open("wb") as output:
        for sent in requests:
            raw = sent.as_http(host)
            output.write(b"%d\n" % len(raw) + raw)
    spent = web.cpu_seconds()
    done = subprocess.run(
        [
            *(require_wrk(), "--threads", "1", "--connections", str(CONNECTIONS)),
            *("--duration", f"{max(1, round(seconds))}s", "--timeout", "20s"),
            *("--script", str(_SCRIPT), web.url, "--", str(file)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    spent = web.cpu_seconds() - spent
    file.unlink()
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise LoadError(f"wrk failed: {done.stderr or done.stdout}")
    said = json.loads(lines[-1])
    if said["ran_out"]:
        return None
    if said["bad_status"] or said["broken"]:
        raise LoadError(f"{said['bad_status']} answers were errors, {said['broken']} did not come.")
    count = said["requests"]
    return Run(
        requests=count,
        rate=count / said["seconds"],
        core_rate=count / spent if spent else 0.0,
        p50_ms=said["p50_ms"],
        p99_ms=said["p99_ms"],
    )


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from the moment a request was due to its answer, at a rate a second."""

    rate: float
    p50_ms: float
    p99_ms: float
    worst_ms: float


def latency(web: Web, requests: Sequence[Sent], rate: float) -> Latency:
    """Send ``requests`` at a steady ``rate``, however slowly answers come, and time them.

    Counted from when each was due, so that a request that had to wait for a slow one before it
    counts with its wait. Raises LoadError for any answer but 200.
    """
    times = sorted(asyncio.run(_paced(web, requests, rate)))
    return Latency(
        rate=rate,
        p50_ms=times[len(times) // 2] * 1000,
        p99_ms=times[int(len(times) * 0.99)] * 1000,
        worst_ms=times[-1] * 1000,
    )


async def _paced(web: Web, requests: Sequence[Sent], rate: float) -> list[float]:
    host = f"127.0.0.1:{web.port}"
    raw = [sent.as_http(host) for sent in requests]
    idle: asyncio.LifoQueue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.LifoQueue()
    for _ in range(32):
        idle.put_nowait(await asyncio.open_connection("127.0.0.1", web.port))
    times: list[float] = []

    async def one(request: bytes, due: float) -> None:
        reader, writer = await idle.get()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise LoadError(f"An answer was {head[:40]!r}.")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
        times.append(time.perf_counter() - due)
        idle.put_nowait((reader, writer))

    started = time.perf_counter() + 0.05
    async with asyncio.TaskGroup() as group:
        for number, request in enumerate(raw):
            due = started + number / rate
            wait = due - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            group.create_task(one(request, due))
    while not idle.empty():
        idle.get_nowait()[1].close()
    return times


def cold_and_warm(web: Web, sent: Sequence[Sent], again: Sequence[Sent]) -> tuple[float, float]:
    """Return milliseconds of first requests of a flow (p95), and the median of later ones.

    ``sent`` holds one request of each of several flows that the process has never seen, ``again``
    more of the same flows. One at a time, over one connection. Raises LoadError.
    """
    first = asyncio.run(_one_by_one(web, sent))
    warm = sorted(asyncio.run(_one_by_one(web, again)))
    return sorted(first)[int(len(first) * 0.95)] * 1000, warm[len(warm) // 2] * 1000


async def _one_by_one(web: Web, requests: Sequence[Sent]) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", web.port)
    times = []
    for sent in requests:
        started = time.perf_counter()
        writer.write(sent.as_http(f"127.0.0.1:{web.port}"))
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise LoadError(f"An answer was {head[:40]!r}.")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        await reader.readexactly(int(length))
        times.append(time.perf_counter() - started)
    writer.close()
    return times
