"""A client written in JavaScript, on Node's own crypto alone, completes each contract."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from crypto_schemes import registry
from tests.support import services
from tests.support.product import Product

pytestmark = [pytest.mark.interop, pytest.mark.once]
HERE = Path(__file__).resolve().parent


@pytest.mark.parametrize("scheme", registry.NAMES)
def test_the_main_operation_works_from_node(running: Product, scheme: str) -> None:
    node = services.require_program("node")
    provisioned = {**running.provision(scheme), "base_url": running.url}
    done = subprocess.run(
        [node, str(HERE / f"{scheme}_client.mjs")],
        input=json.dumps(provisioned),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ok"] is True
