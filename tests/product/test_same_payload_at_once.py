"""Two processes send the same Kairos payload 200 times at once: one is accepted."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from typing import Any

import pytest

from crypto_schemes import registry
from crypto_schemes.ciphers import rsa
from crypto_schemes.keys import Credentials, KeyVersion
from tests.support.product import ROOT, Product

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(180)]


def _sealed(credentials: dict[str, str]) -> str:
    scheme = registry.get("kairos")
    partner = Credentials(
        identity={"flow_id": credentials["flow_id"]},
        versions={
            "kairos_rsa": (
                KeyVersion(
                    "k", "kairos_rsa", 1, rsa.load_public_pem(credentials["public_key_pem"])
                ),
            )
        },
    )
    payload = {
        "api-version": "1.0",
        "security-id": credentials["security_id"],
        "flow-id": credentials["flow_id"],
        "calls": [
            {
                "client-identifier": "race-1",
                "start-time": "2030-01-01T10:00:00+05:30",
                "contact-numbers": ["910000000001"],
                "keys": [],
            }
        ],
    }
    options = scheme.options_type.from_mapping({})
    return scheme.seal_request(payload, partner, options, now=time.time()).body.decode()


def test_exactly_one_is_accepted(installation: Product) -> None:
    flow = installation.provision("kairos")
    order = {
        "url": installation.url + flow["path"],
        "body": _sealed(flow["credentials"]),
        "headers": {"Content-Type": "application/json"},
        "times": 100,
        "threads": 10,
    }
    senders = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.hammer"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    seen: Counter[tuple[int, Any]] = Counter()
    for sender in senders:
        assert sender.stdin is not None
        assert sender.stdout is not None
        sender.stdin.write(json.dumps(order) + "\n")
        sender.stdin.flush()
        assert sender.stdout.readline() == "ready\n"
    for sender in senders:
        assert sender.stdin is not None
        sender.stdin.write("go\n")
        sender.stdin.flush()
    for sender in senders:
        output, _ = sender.communicate(timeout=120)
        for status, body, count in json.loads(output):
            seen[status, json.loads(body)["api-response-code"]] += count
    assert seen == {(200, 200): 1, (200, 201): 199}
