"""What the web server itself writes is JSON lines like those of the processes it serves with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.echo_server import EchoServer, echo_server
from tests.support.product import ROOT, free_port

pytestmark = pytest.mark.once


def lines(server: EchoServer, *, until: str) -> list[dict[str, Any]]:
    """Return what the server has written, once a line with ``until`` is among it."""
    deadline = time.monotonic() + 20
    while until not in (written := server.log.read_text()):
        assert time.monotonic() < deadline, written
        time.sleep(0.05)
    return [json.loads(line) for line in written.splitlines()]


def test_a_killed_process_is_told_of_in_a_line_of_the_product_s_form() -> None:
    with echo_server() as server:
        pid = server.process.pid
        (worker,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        os.kill(int(worker), signal.SIGKILL)
        (line,) = lines(server, until="SIGKILL")
    assert line == {
        "time": line["time"],
        "level": "ERROR",
        "logger": "gunicorn.error",
        "message": f"Worker (pid:{worker}) was sent SIGKILL! Perhaps out of memory?",
        "request_id": "",
        "trace_id": "",
    }


def test_what_keeps_a_process_from_starting_can_still_be_read(tmp_path: Path) -> None:
    ran = subprocess.run(
        [
            str(Path(sys.executable).parent / "gunicorn"),
            *("--config", "config/gunicorn.py", "config.wsgi"),
        ],
        cwd=ROOT,
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith("SEALGATE_")},
            "SEALGATE_VAR": str(tmp_path),
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "SEALGATE_WEB_PROCESSES": "1",
            "PORT": str(free_port()),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 3
    told = [json.loads(line) for line in ran.stderr.splitlines() if line.startswith("{")]
    assert told[0]["message"] == "Exception in worker process"
    assert "SEALGATE_MASTER_KEYS is not set" in told[0]["exc_info"]
    # Gunicorn itself says it again, for people.
    assert "\nSEALGATE_MASTER_KEYS is not set. Set it, or " in ran.stderr
    assert told[-1]["message"] == "Reason: Worker failed to boot."
