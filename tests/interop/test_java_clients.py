"""A client written in Java, on its standard library alone, from the partner's page."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support import services
from tests.support.product import Product

pytestmark = [pytest.mark.interop, pytest.mark.once]
HERE = Path(__file__).resolve().parent / "java"
CLIENTS = {
    "kairos": "KairosClient",
    "isu": "IsuClient",
    "whatsapp_flows": "WhatsappFlowsClient",
}


@pytest.mark.parametrize("scheme", CLIENTS)
def test_the_main_operation_works_from_java(running: Product, scheme: str) -> None:
    java = services.require_program("java")
    provisioned = running.provision(scheme)
    given = {"base_url": running.url, "path": provisioned["path"], **provisioned["credentials"]}
    done = subprocess.run(
        [java, "-Dfile.encoding=UTF-8", str(HERE / f"{CLIENTS[scheme]}.java")],
        # The form of java.util.Properties: Java has no reader of JSON of its own.
        input="".join(
            f"{name}={value}".replace("\n", "\\n") + "\n" for name, value in given.items()
        ),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr
