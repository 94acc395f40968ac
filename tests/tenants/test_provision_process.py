"""The command as automation runs it: a process of its own on a fresh installation."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from tenants.master_keys import generate

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent.parent


def test_a_fresh_installation_gives_one_json_object(tmp_path: Path) -> None:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SEALGATE_", "DATABASE_", "REDIS_", "CELERY_", "DJANGO_"))
    }
    environment |= {
        "SEALGATE_VAR": str(tmp_path),
        "SEALGATE_MASTER_KEYS": generate(),
        "SEALGATE_SECRET_KEY": secrets.token_urlsafe(64),
    }

    def manage(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    assert manage("migrate", "--verbosity", "0").returncode == 0
    arguments = ("provision", "kairos", "--client", "acme", "--address", "Abcd1234")
    made = manage(*arguments, "--option", "rsa_bits=2048", "--json")
    assert (made.returncode, made.stderr) == (0, "")
    report = json.loads(made.stdout)
    assert report["credentials"]["flow_id"] == "Abcd1234"
    again = manage(*arguments, "--json")
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.count("\n") == 1
    assert "Abcd1234 is in use" in again.stderr
