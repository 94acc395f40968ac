"""A server on a database without tables ends, and one line says why."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.product import ROOT, free_port

pytestmark = pytest.mark.once


def test_the_server_ends_with_one_line(tmp_path: Path) -> None:
    (tmp_path / "static").mkdir()
    done = subprocess.run(
        [
            Path(sys.executable).parent / "gunicorn",
            *("--config", "config/gunicorn.py", "config.wsgi"),
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "SEALGATE_VAR": str(tmp_path),
            "DATABASE_URL": f"sqlite:///{tmp_path}/none.sqlite3",
            "CELERY_BROKER_URL": "memory://",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics"),
            "PORT": str(free_port()),
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 4
    assert "Traceback" not in done.stderr
    told = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["message"] for line in told if line["logger"] != "gunicorn.error"] == [
        "Not started. Migrations: pending; run manage.py migrate."
    ]
    # What the web server itself says of it names no other reason.
    assert told[0]["logger"] == "sealgate.start"
    assert told[-1]["message"] == "Reason: App failed to load."
