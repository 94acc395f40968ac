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
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

from tests.support.made_once import made_once
from tests.support.master_key import MASTER_KEYS

ROOT = Path(__file__).resolve().parents[2]
_BIN = Path(sys.executable).parent
_SQLITE = "sealgate.sqlite3"
#: Seconds a command may take on a machine that has other things to do.
_LONGEST_COMMAND = 600
#: Runs several commands, and prints what each printed as a line of JSON.
_ALL = """
import io, json
from django.core.management import call_command
for command in json.loads({commands!r}):
    printed = io.StringIO()
    call_command(*command, stdout=printed)
    print(json.dumps(printed.getvalue()))
"""


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
            timeout=_LONGEST_COMMAND,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"manage.py {arguments[0]} failed: {done.stderr[-2000:]}")
        return done

    def manage_all(self, *commands: Sequence[str]) -> list[str]:
        """Run ``commands`` in one process, which saves their starts; return what each printed."""
        script = _ALL.format(commands=json.dumps(commands))
        done = self.manage("shell", "--no-imports", "--command", script)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def provision(self, scheme: str, *arguments: str) -> dict[str, Any]:
        """Return what ``manage.py provision --json`` prints for a new flow."""
        provisioned: dict[str, Any] = json.loads(
            self.manage(*provision_order(scheme, *arguments)).stdout
        )
        return provisioned

    def provision_all(self, *flows: Sequence[str]) -> list[dict[str, Any]]:
        """Return the same for several, each a contract and arguments."""
        return [
            json.loads(made)
            for made in self.manage_all(*(provision_order(*flow) for flow in flows))
        ]

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

    ``settings`` are environment variables; without ``DATABASE_URL``, which names a database with
    tables (services.migrated_postgresql), it runs on the embedded default.
    """
    var.mkdir(parents=True, exist_ok=True)
    if "DATABASE_URL" not in (settings or {}):
        shutil.copy(empty_sqlite(), var)
    (var / "static").symlink_to(made_once("static", _make_static) / "static")
    product = configured(var, settings or {})
    for name in processes:
        product.spawn(name)
    try:
        if "web" in processes:
            product.wait_until_served()
    except BaseException:
        product.stop()
        raise
    return product


def empty_sqlite() -> Path:
    """Return the file of a database that has all tables, and no rows of the business."""
    return made_once("sqlite", _make_sqlite) / _SQLITE


def configured(var: Path, settings: Mapping[str, str]) -> Product:
    """Return a copy in the directory ``var`` of which nothing runs or is there yet."""
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    return Product(
        var=var,
        port=port,
        environment={
            **kept,
            "PORT": str(port),
            "SEALGATE_VAR": str(var),
            "SEALGATE_MASTER_KEYS": MASTER_KEYS,
            "SEALGATE_SECRET_KEY": secrets.token_urlsafe(48),
            "SEALGATE_OUTBOUND_ALLOW": "127.0.0.0/8",
            "SEALGATE_SANDBOX_SPEED": "50",
            "DATABASE_URL": f"sqlite:///{var / _SQLITE}",
            "REDIS_URL": "",
            "CELERY_BROKER_URL": "filesystem://localhost/",
            **settings,
        },
    )


def provision_order(scheme: str, *arguments: str) -> list[str]:
    """Return the command that makes a flow of a client of its own."""
    client = f"client-{secrets.token_hex(4)}"
    return ["provision", scheme, "--client", client, *arguments, "--json"]


def _make_sqlite(folder: Path) -> None:
    configured(folder, {}).manage("migrate", "--verbosity", "0")


def _make_static(folder: Path) -> None:
    configured(folder, {}).manage("collectstatic", "--noinput", "--verbosity", "0")
