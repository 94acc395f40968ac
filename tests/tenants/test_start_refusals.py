"""Without a good master key nothing starts, and the message says how to make one."""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent.parent
GOOD = "1:" + base64.b64encode(secrets.token_bytes(32)).decode()
WEAK = "1:" + base64.b64encode(b"correct horse battery staple 123").decode()
NAME = "SEALGATE_MASTER_KEYS"


def start(tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Start Django as every process does, with these variables and no others of ours."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SEALGATE_", "DATABASE_", "REDIS_", "CELERY_", "DJANGO_"))
    }
    environment |= {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SEALGATE_VAR": str(tmp_path),
        "SEALGATE_SECRET_KEY": secrets.token_urlsafe(64),
        **variables,
    }
    return subprocess.run(
        [sys.executable, "-c", "from django.conf import settings; settings.MASTER_KEYS"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def refused(done: subprocess.CompletedProcess[str], *texts: str) -> None:
    """Assert that the start failed with a message that holds ``texts`` and says what to do."""
    assert done.returncode == 1
    assert done.stdout == ""
    last = done.stderr.strip().splitlines()[-1]
    assert "ImproperlyConfigured" in last
    for text in (*texts, "python3 -c", "secrets.token_bytes(32)"):
        assert text in last


def test_a_good_key_starts(tmp_path: Path) -> None:
    assert start(tmp_path, **{NAME: GOOD}).returncode == 0


def test_a_key_in_a_file_starts(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"{GOOD}\n")
    assert start(tmp_path, **{f"{NAME}_FILE": str(path)}).returncode == 0


def test_the_key_that_script_server_made_starts(tmp_path: Path) -> None:
    (tmp_path / "master-keys").write_text(f"{GOOD}\n")
    assert start(tmp_path).returncode == 0


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_key(tmp_path: Path, value: str | None) -> None:
    refused(start(tmp_path, **({} if value is None else {NAME: value})), f"{NAME} is not set")


def test_a_weak_key(tmp_path: Path) -> None:
    done = start(tmp_path, **{NAME: WEAK})
    refused(done, "not random")
    assert WEAK not in done.stderr
    assert WEAK[2:] not in done.stderr


def test_both_variable_and_file(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(GOOD)
    refused(start(tmp_path, **{NAME: GOOD, f"{NAME}_FILE": str(path)}), "not both")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "nothing"
    refused(start(tmp_path, **{f"{NAME}_FILE": str(path)}), "cannot be read", str(path))


def test_a_file_that_is_a_directory(tmp_path: Path) -> None:
    refused(start(tmp_path, **{f"{NAME}_FILE": str(tmp_path)}), "cannot be read")


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"\xff\xfe\x00")
    refused(start(tmp_path, **{f"{NAME}_FILE": str(path)}), "cannot be read")


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text("\n")
    refused(start(tmp_path, **{f"{NAME}_FILE": str(path)}), "empty file")


def test_a_weak_key_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(WEAK)
    done = start(tmp_path, **{f"{NAME}_FILE": str(path)})
    refused(done, "not random")
    assert WEAK[2:] not in done.stderr


def test_a_proxy_list_that_is_none(tmp_path: Path) -> None:
    done = start(tmp_path, **{NAME: GOOD, "SEALGATE_TRUSTED_PROXIES": "10.0.0.0/8,the-proxy"})
    assert done.returncode == 1
    assert "SEALGATE_TRUSTED_PROXIES: 'the-proxy'" in done.stderr
