"""The servers of a run: the product's web processes, and the bare views, as real processes."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import urllib3

from script import processes
from script.benchmark.machine import Cores, cpu_seconds, family, pin, resident_megabytes
from script.benchmark.services import Services, free_port
from tenants import master_keys

ROOT: Final = Path(__file__).resolve().parents[2]
_START_SECONDS: Final = 60
_STOP_SECONDS: Final = 40


class ServerError(Exception):
    """A server did not start, or a command failed. The message says why."""


@dataclass(slots=True)
class Web:
    """A running web server."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        """Return the base URL, without a trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def workers(self) -> list[int]:
        """Return the processes that serve: all but the one that only watches over them."""
        return family(self.process.pid)[1:]

    def cpu_seconds(self) -> float:
        """Return the processor time of all its processes so far."""
        return cpu_seconds(family(self.process.pid))

    def megabytes(self) -> float:
        """Return the resident memory of its largest serving process, in MB."""
        return max(resident_megabytes(worker) for worker in self.workers)


@dataclass(slots=True)
class Installation:
    """One copy of the product in a directory of its own."""

    var: Path
    services: Services
    cores: Cores
    #: URL of the company's own service, for the flows that have one.
    service: str = ""
    secrets: Mapping[str, str] = field(
        default_factory=lambda: {
            "SEALGATE_MASTER_KEYS": master_keys.generate(),
            "SEALGATE_SECRET_KEY": secrets.token_urlsafe(48),
        },
        repr=False,
    )

    def environment(self, **more: str) -> dict[str, str]:
        """Return what its processes get to see, and nothing of the caller's installation."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {
            **kept,
            **self.secrets,
            **self.services.settings,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "SEALGATE_VAR": str(self.var),
            "SEALGATE_OUTBOUND_ALLOW": "127.0.0.0/8",
            **more,
        }

    def run(self, *command: str) -> str:
        """Run a Python command against it and return what it printed. Raises ServerError."""
        done = subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ServerError(f"{' '.join(command[:3])} failed: {done.stderr[-1500:]}")
        return done.stdout

    def prepare(self) -> None:
        """Make its tables and static files."""
        (self.var / "static").mkdir(exist_ok=True)
        self.run("manage.py", "migrate", "--verbosity", "0")

    def provision(self, scheme: str, *more: str) -> dict[str, Any]:
        """Return what ``manage.py provision --json`` prints for a new client and flow."""
        client = f"bench-{secrets.token_hex(4)}"
        said = self.run("manage.py", "provision", scheme, "--client", client, "--json", *more)
        made: dict[str, Any] = json.loads(said)
        return made

    @contextmanager
    def web(self, *, processes: int = 1, pinned: bool = True) -> Iterator[Web]:
        """Serve it while the block lasts, on the server's core if ``pinned``."""
        port = free_port()
        environment = self.environment(
            PORT=str(port),
            SEALGATE_WEB_PROCESSES=str(processes),
            SEALGATE_PUBLIC_URL=f"http://127.0.0.1:{port}",
        )
        with _serving("config.wsgi", port, environment, self.var / "server.log") as web:
            if pinned:
                pin(family(web.process.pid), self.cores.server)
            elif self.cores.are_apart:
                self._spread(web.workers)
            yield web

    def _spread(self, workers: Sequence[int]) -> None:
        """Give each serving process one of the two cores in turn."""
        for number, worker in enumerate(workers):
            pin([worker], self.cores.load if number % 2 else self.cores.server)


@contextmanager
def bare(var: Path, cores: Cores, key_file: Path, app_secret: str) -> Iterator[Web]:
    """Serve the bare views of :mod:`script.benchmark.bare` with the product's configuration."""
    port = free_port()
    environment = {
        **os.environ,
        "PORT": str(port),
        "SEALGATE_WEB_PROCESSES": "1",
        "SEALGATE_VAR": str(var),
        "BENCH_KEY_FILE": str(key_file),
        "BENCH_APP_SECRET": app_secret,
    }
    with _serving("script.benchmark.bare:application", port, environment, var / "bare.log") as web:
        pin(family(web.process.pid), cores.server)
        yield web


@contextmanager
def _serving(
    application: str, port: int, environment: Mapping[str, str], log: Path
) -> Iterator[Web]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            [
                str(Path(sys.executable).parent / "gunicorn"),
                *("--config", "config/gunicorn.py", application),
            ],
            cwd=ROOT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    web = Web(port, process)
    try:
        _wait_until_served(web, log)
        yield web
    finally:
        processes.end(process, _STOP_SECONDS)


def _wait_until_served(web: Web, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            # Any answer will do: the bare views have no probe.
            urllib3.request("GET", f"{web.url}/livez", timeout=2, retries=False)
        except urllib3.exceptions.HTTPError:
            if web.process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(encoding="utf-8", errors="replace")[-1500:]
                raise ServerError(f"The server did not start: {said}") from None
            time.sleep(0.1)
        else:
            return
