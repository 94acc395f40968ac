"""The server the demo talks to: the one that runs, or one of its own that it ends again."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from config.env import local_url
from config.serving import LAPTOP_DEFAULTS
from script import processes, readiness
from script.partner_demo.screen import Screen

ROOT: Final = Path(__file__).resolve().parents[2]
_START_SECONDS: Final = 120
_STOP_SECONDS: Final = 40
#: A worker beats every ten seconds, and takes some to start.
_WORKER_SECONDS: Final = 25.0


class NoServerError(Exception):
    """There is no server to talk to, and none could be started. The message says why."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. ``environment`` is what makes manage.py work on its database."""

    url: str
    environment: Mapping[str, str] = field(repr=False)
    is_own: bool
    has_worker: bool


@contextmanager
def running(url: str, screen: Screen, worker_seconds: float) -> Iterator[Server]:
    """Give the server at ``url`` or, without one, at the usual port; else start one.

    Where its worker says nothing, that is waited for a little, ``worker_seconds`` at most.
    One that was started works in a directory of its own and is ended, with all it wrote,
    when the block ends. Raises NoServerError.
    """
    usual = local_url()
    if readiness.checks_at(url or usual) is not None:
        yield Server(
            url or usual, os.environ, False, _has_worker(url or usual, screen, worker_seconds)
        )
    elif url:
        raise NoServerError(f"No Sealgate answers at {url}/livez. Start it with script/server.")
    else:
        with (
            tempfile.TemporaryDirectory(prefix="sealgate-demo-") as var,
            _started(Path(var), screen) as server,
        ):
            yield server


def _has_worker(url: str, screen: Screen, seconds: float) -> bool:
    """Return whether a worker gives a sign of life; one that just started takes a while."""

    def silent() -> str:
        return "" if (readiness.checks_at(url) or {}).get("worker") == "ok" else "silent"

    if not silent():
        return True
    with screen.waiting("No sign of life of its worker yet, which may still be starting"):
        return not readiness.wait(silent, min(seconds, _WORKER_SECONDS))


@contextmanager
def _started(var: Path, screen: Screen) -> Iterator[Server]:
    free = _free_port()
    environment = _isolated(var, free)
    url = f"http://127.0.0.1:{free}"
    log = var / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(ROOT / "script" / "server")],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        with screen.waiting("Starting a server for this demo"):
            _wait_until_ready(url, process, log)
        yield Server(url, environment, is_own=True, has_worker=True)
    finally:
        with screen.waiting("Ending the server"):
            processes.end(process, _STOP_SECONDS)


def _isolated(var: Path, free: int) -> dict[str, str]:
    """Return the environment of a server whose every trace is in ``var``.

    Nothing is left to an .env of the checkout that could lead to another database.
    """
    passed_on = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SEALGATE_", "DATABASE_URL", "REDIS_URL", "CELERY_"))
    }
    return passed_on | {
        **LAPTOP_DEFAULTS,
        "PORT": str(free),
        "SEALGATE_VAR": str(var),
        "SEALGATE_BIND": "127.0.0.1",
        "SEALGATE_LAPTOP": "true",
        "SEALGATE_ALLOWED_HOSTS": "127.0.0.1",
        "SEALGATE_PUBLIC_URL": f"http://127.0.0.1:{free}",
        "SEALGATE_TLS": "false",
        "DATABASE_URL_FILE": "",
        "DATABASE_URL": f"sqlite:///{var / 'sealgate.sqlite3'}",
        "REDIS_URL": "",
        "REDIS_URL_FILE": "",
        "CELERY_BROKER_URL": "filesystem://localhost/",
        "CELERY_BROKER_URL_FILE": "",
        "SEALGATE_OPERATORS_EMAIL": "",
    }


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return once the server and its worker answer. Raises NoServerError."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise NoServerError(f"script/server ended. {_last_words(log)}")
        state = readiness.checks_at(url)
        if state is not None and all(check == "ok" for check in state.values()):
            return
        time.sleep(0.25)
    raise NoServerError(f"script/server is not ready after {_START_SECONDS} s. {_last_words(log)}")


def _last_words(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    said = next((line.strip() for line in reversed(lines) if line.strip()), "nothing")
    return f"Its last words: {said}. Run script/server to see all it says."


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free: int = probe.getsockname()[1]
        return free
