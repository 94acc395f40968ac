"""A copy of the whole product in a directory of its own: web, worker and beat as real processes.

Everything started here is ended here, by process id.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import urllib3

from tenants import master_keys

ROOT = Path(__file__).resolve().parents[2]
_BIN = Path(sys.executable).parent
# One for all copies of this process: an empty database can then be copied, not migrated each time.
_MASTER_KEYS = master_keys.generate()


def free_port() -> int:
    """Return a port nobody listens on right now.

    It is below those that the system gives to outgoing connections: while what listens there is
    killed and started again, no connection of another test takes it.
    """
    while True:
        port = random.SystemRandom().randrange(15_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@dataclass
class Product:
    """One running copy. Use :func:`start`; call :meth:`stop` when done."""

    var: Path
    environment: dict[str, str]
    port: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Return the base URL, without a trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """Return the file all processes log to."""
        return self.var / "product.log"

    def manage(
        self, *arguments: str, check: bool = True, settings: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run ``manage.py`` with ``arguments`` against this copy, with more ``settings`` if any."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={**self.environment, **(settings or {})},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"manage.py {arguments[0]} failed: {done.stderr[-2000:]}")
        return done

    def provision(self, scheme: str, *arguments: str) -> dict[str, Any]:
        """Return what ``manage.py provision --json`` prints for a new flow."""
        client = f"client-{secrets.token_hex(4)}"
        done = self.manage("provision", scheme, "--client", client, *arguments, "--json")
        provisioned: dict[str, Any] = json.loads(done.stdout)
        return provisioned

    def spawn(self, name: str) -> None:
        """Start the process ``web``, ``worker`` or ``beat``; ``worker-2`` is another worker."""
        commands = {
            "web": ["gunicorn", "--config", "config/gunicorn.py", "config.wsgi"],
            "worker": [
                *("celery", "--app", "config", "worker", "--pool", "threads", "--concurrency", "4"),
                *("--without-gossip", "--without-mingle", "--loglevel", "warning"),
                *("--hostname", f"{name}-{self.port}@%h"),
            ],
            "beat": [
                *("celery", "--app", "config", "--quiet", "beat", "--pidfile="),
                *("--schedule", str(self.var / "beat-schedule"), "--loglevel", "warning"),
            ],
        }
        command = commands[name.partition("-")[0]]
        with self.log.open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [str(_BIN / command[0]), *command[1:]],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def web_workers(self) -> list[int]:
        """Return the ids of the processes that serve requests: the children of the web server."""
        master = self.processes["web"].pid
        children = Path(f"/proc/{master}/task/{master}/children").read_text()
        return [int(child) for child in children.split()]

    def wait_until_served(self, seconds: float = 40) -> None:
        """Return when the web process answers its probe; fail with its log otherwise."""
        deadline = time.monotonic() + seconds
        pool = urllib3.PoolManager(retries=False)
        while time.monotonic() < deadline:
            try:
                if pool.request("GET", f"{self.url}/livez", timeout=2).status == 200:
                    return
            except urllib3.exceptions.HTTPError:
                time.sleep(0.1)
        raise AssertionError("the server did not start:\n" + self.log.read_text()[-3000:])

    def kill(self, name: str, with_signal: int = signal.SIGKILL) -> None:
        """End one process and its children, and wait for it."""
        process = self.processes.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, with_signal)
        process.wait(timeout=30)

    def stop(self) -> None:
        """End everything this copy started."""
        for name in list(self.processes):
            self.kill(name, signal.SIGKILL)


def start(
    var: Path,
    *,
    processes: tuple[str, ...] = ("web", "worker", "beat"),
    settings: Mapping[str, str] | None = None,
) -> Product:
    """Start a copy in the directory ``var`` and return it once it serves.

    ``settings`` are environment variables; without ``DATABASE_URL`` it runs on the
    embedded default.
    """
    shutil.copytree(_empty().name, var, dirs_exist_ok=True)
    product = _configured(var, settings or {})
    if "DATABASE_URL" in (settings or {}):
        # What makes the tables does not wait for the disk a hundred times; what runs on them does.
        quick = {"PGOPTIONS": "-c synchronous_commit=off"}
        product.manage("migrate", "--verbosity", "0", settings=quick)
    for name in processes:
        product.spawn(name)
    try:
        if "web" in processes:
            product.wait_until_served()
    except BaseException:
        product.stop()
        raise
    return product


def _configured(var: Path, settings: Mapping[str, str]) -> Product:
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    return Product(
        var=var,
        port=port,
        environment={
            **kept,
            "PORT": str(port),
            "SEALGATE_VAR": str(var),
            "SEALGATE_MASTER_KEYS": _MASTER_KEYS,
            "SEALGATE_SECRET_KEY": secrets.token_urlsafe(48),
            "SEALGATE_OUTBOUND_ALLOW": "127.0.0.0/8",
            "SEALGATE_SANDBOX_SPEED": "50",
            "DATABASE_URL": f"sqlite:///{var}/sealgate.sqlite3",
            "REDIS_URL": "",
            "CELERY_BROKER_URL": "filesystem://localhost/",
            **settings,
        },
    )


@cache
def _empty() -> tempfile.TemporaryDirectory[str]:
    """Make a directory with an empty database and the static files, removed at the very end."""
    directory = tempfile.TemporaryDirectory(prefix="sealgate-empty-")
    empty = _configured(Path(directory.name), {})
    empty.manage("migrate", "--verbosity", "0")
    empty.manage("collectstatic", "--noinput", "--verbosity", "0")
    return directory
