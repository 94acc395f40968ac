"""The same traffic for long: does memory stay flat, does the rate?"""

from __future__ import annotations

import time
from itertools import cycle
from pathlib import Path
from typing import Final

from rich.console import Console

from script.benchmark import service, traffic
from script.benchmark.load import throughput
from script.benchmark.machine import Cores
from script.benchmark.measure import FEW, SharedKey, fill
from script.benchmark.server import Installation
from script.benchmark.services import Services
from script.benchmark.traffic import Traffic, WhatsAppStep

#: Seconds of one path before the next one has its turn.
_TURN: Final = 10.0
#: A process may grow by so many MB from a fifth of the time on.
_GROWTH_MB: Final = 10.0


def run(services: Services, var: Path, cores: Cores, minutes: float, console: Console) -> int:
    """Send all kinds of traffic in turn; return 0 when memory stayed flat, else 1."""
    with service.running() as url:
        installation = Installation(var, services, cores, url)
        installation.prepare()
        key = SharedKey.make(var)
        paths: list[Traffic] = [WhatsAppStep(fill(installation, key, FEW), key.public)]
        paths += [kind(installation) for kind in traffic.SIMPLE]
        begun = time.monotonic()
        seen: list[tuple[float, float]] = []
        with installation.web() as web:
            for path in paths:
                path.begin(web.url)
                path.check(web.url, 3)
            services.pin(cores)
            for path in cycle(paths):
                measured = throughput(web, path.stream(), _TURN, var)
                elapsed, megabytes = (time.monotonic() - begun) / 60, web.megabytes()
                seen.append((elapsed, megabytes))
                console.print(
                    f"{elapsed:5.1f} min  {megabytes:6.1f} MB  {measured.rate:7.0f} req/s  "
                    f"{path.title}"
                )
                if elapsed >= minutes:
                    break
    warm = next(size for elapsed, size in seen if elapsed >= minutes / 5)
    grown = seen[-1][1] - warm
    flat = grown <= _GROWTH_MB
    console.print(
        f"{'✓' if flat else '✗'} from a fifth of the time on the process grew by {grown:+.1f} MB "
        f"(≤ {_GROWTH_MB:g})",
        style="green" if flat else "red",
    )
    return 0 if flat else 1
