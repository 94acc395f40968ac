"""docs/operations.md and deploy/systemd say the same, and systemd takes the units."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from config import gunicorn
from tests.support import operations_page as page
from tests.support import services
from tests.support.product import ROOT

pytestmark = pytest.mark.once
NAMES = ("web", "worker", "beat")


@pytest.mark.parametrize("name", NAMES)
def test_the_page_has_the_command_of_each_unit(name: str) -> None:
    command = page.command_of(name).removeprefix("/opt/sealgate/")
    assert f"| {name} | `{command}` |" in page.PAGE.read_text()


def test_there_are_no_other_units() -> None:
    assert {path.name for path in page.UNITS.iterdir()} == {
        f"sealgate-{name}.service" for name in NAMES
    }


def test_a_unit_waits_longer_than_its_requests() -> None:
    text = (page.UNITS / "sealgate-web.service").read_text()
    (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)
    assert int(seconds) > gunicorn.graceful_timeout


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    program = services.require_program("systemd-analyze")
    units = []
    for unit in page.UNITS.iterdir():
        units.append(tmp_path / unit.name)
        text = unit.read_text()
        text = text.replace("/opt/sealgate/.venv/bin", str(Path(sys.executable).parent))
        units[-1].write_text(text.replace("/opt/sealgate", str(ROOT)))
    done = subprocess.run(
        [program, "verify", "--man=no", *units],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    told = [line for line in done.stderr.splitlines() if "sealgate" in line]
    assert (done.returncode, told) == (0, [])


def test_every_command_the_page_names_is_there() -> None:
    named = set(re.findall(r"manage\.py ([a-z_]+)", page.PAGE.read_text()))
    assert {"backup", "check_installation", "migrate", "verify_audit"} <= named
    for name in named:
        with pytest.raises((SystemExit, CommandError)) as ended:
            call_command(name, "--help")
        assert getattr(ended.value, "code", 0) == 0, ended.value
