"""The commands of docs/operations.md and of deploy/systemd, run in places of a test's own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.product import ROOT

PAGE = ROOT / "docs" / "operations.md"
UNITS = ROOT / "deploy" / "systemd"
_BIN = f"{Path(sys.executable).parent}/"
#: Blocks marked so are run by tests.
_RUN = re.compile(r"^ *```(?:bash|sql)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


def block(part: str) -> str:
    """Return the one block of the page that has ``part`` in it."""
    (found,) = (text for text in _RUN.findall(PAGE.read_text()) if part in text)
    return str(found)


def command_of(unit: str) -> str:
    """Return what the unit ``web``, ``worker`` or ``beat`` starts, as written there."""
    text = (UNITS / f"sealgate-{unit}.service").read_text()
    (command,) = re.findall(r"^ExecStart=(.+)$", text, re.MULTILINE)
    set_there = dict(re.findall(r"^Environment=(\w+)=(.*)$", text, re.MULTILINE))
    return re.sub(r"\$\{(\w+)\}", lambda found: set_there[found[1]], command)


class Node:
    """A machine of the page: its places in a directory, its environment in a file."""

    def __init__(self, directory: Path, environment: Mapping[str, str], shared: Path) -> None:
        self._file = directory / "environment"
        self._places = {
            "/var/lib/sealgate": environment["SEALGATE_VAR"],
            "/etc/sealgate/environment": str(self._file),
            "/var/backups/sealgate": str(shared / "backups"),
            "/mnt/elsewhere": str(shared / "elsewhere"),
            "/opt/sealgate/.venv/bin/": _BIN,
            ".venv/bin/": _BIN,
            "/opt/sealgate": str(ROOT),
        }
        for place in (directory, shared / "backups", shared / "elsewhere"):
            place.mkdir(parents=True, exist_ok=True)
        self.configure(environment)

    def configure(self, environment: Mapping[str, str]) -> None:
        """Write the file of the environment anew; nothing may be starting."""
        self.environment = dict(environment)
        lines = (f"{name}='{value}'\n" for name, value in environment.items())
        self._file.write_text("".join(lines))

    def run(
        self, command: str, *, check: bool = True, settings: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a block of the page as it says: in the directory, with the node's environment."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self._here(command, settings)],
            env=_of_the_shell(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{command}\nfailed: {done.stderr[-2000:]}")
        return done

    def start(self, unit: str, log: Path) -> subprocess.Popen[bytes]:
        """Start what the unit starts, in a session of its own."""
        with log.open("ab") as output:
            return subprocess.Popen(
                ["bash", "-euc", self._here(f"exec {command_of(unit)}", None)],
                env=_of_the_shell(),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _here(self, command: str, settings: Mapping[str, str] | None) -> str:
        given = "".join(f"export {name}='{value}'\n" for name, value in (settings or {}).items())
        text = block("set -a; .") + given + command
        # In one go: what was put in may hold what is looked for.
        longest_first = sorted(self._places, key=len, reverse=True)
        places = re.compile("|".join(map(re.escape, longest_first)))
        return places.sub(lambda found: self._places[found[0]], text)


def _of_the_shell() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
