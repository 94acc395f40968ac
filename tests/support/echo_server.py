"""A web server with the product's configuration, before an application that echoes."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.product import ROOT, free_port

#: Seconds within which an answer is there on a busy machine, unless it has to wait for others.
_AT_ONCE = 2


@dataclass(frozen=True)
class EchoServer:
    """One that runs."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def address(self) -> tuple[str, int]:
        """Return where it listens."""
        return "127.0.0.1", self.port

    def assert_answers_at_once(self) -> None:
        """Fail unless one more request is answered within a moment."""
        begun = time.monotonic()
        connection = http.client.HTTPConnection(*self.address, timeout=10)
        connection.request("GET", "/asked")
        assert connection.getresponse().status == 200
        connection.close()
        assert time.monotonic() - begun < _AT_ONCE


@contextmanager
def echo_server(
    *, threads: int = 1, settings: dict[str, str] | None = None
) -> Iterator[EchoServer]:
    """Run one with a single process while the block lasts."""
    with TemporaryDirectory(prefix="sealgate-echo-") as folder:
        yield from _running(Path(folder) / "log", threads, settings or {})


def _running(log: Path, threads: int, settings: dict[str, str]) -> Iterator[EchoServer]:
    port = free_port()
    process = subprocess.Popen(
        [
            str(Path(sys.executable).parent / "gunicorn"),
            *("--config", "config/gunicorn.py", "tests.support.echo:application"),
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "PORT": str(port),
            "SEALGATE_WEB_PROCESSES": "1",
            "SEALGATE_WEB_THREADS": str(threads),
            **settings,
        },
        stderr=log.open("wb"),
    )
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "the server did not start"
                time.sleep(0.05)
        yield EchoServer(port, process, log)
    finally:
        process.kill()
        process.wait(30)
