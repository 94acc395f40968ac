"""Clients in other languages, on their standard libraries alone, complete each contract."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crypto_schemes import registry
from tests.support import services

pytestmark = [pytest.mark.interop, pytest.mark.once]
HERE = Path(__file__).resolve().parent
JAVA = {
    "kairos": "KairosClient",
    "isu": "IsuClient",
    "whatsapp_flows": "WhatsappFlowsClient",
}

Handed = Callable[[str], dict[str, Any]]


@pytest.mark.parametrize("scheme", registry.NAMES)
def test_the_main_operation_works_from_node(handed_over: Handed, scheme: str) -> None:
    node = services.require_program("node")
    done = _run([node, str(HERE / f"{scheme}_client.mjs")], json.dumps(handed_over(scheme)))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ok"] is True


@pytest.mark.parametrize("scheme", JAVA)
def test_the_main_operation_works_from_java(handed_over: Handed, scheme: str) -> None:
    java = services.require_program("java")
    given = handed_over(scheme)
    values = {"base_url": given["base_url"], "path": given["path"], **given["credentials"]}
    # The form of java.util.Properties: Java has no reader of JSON of its own.
    lines = [f"{name}={value}".replace("\n", "\\n") for name, value in values.items()]
    # Stopping at the first compiler makes short programs quicker.
    command = [java, "-XX:TieredStopAtLevel=1", "-Dfile.encoding=UTF-8"]
    done = _run([*command, str(HERE / "java" / f"{JAVA[scheme]}.java")], "\n".join(lines))
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr


def _run(command: list[str], given: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, input=given, capture_output=True, text=True, timeout=100, check=False
    )
