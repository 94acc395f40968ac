"""Two processes send the same Kairos payload 200 times at once: one is accepted."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

from tests.support.partner import Partner
from tests.support.product import ROOT, Product

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(180)]


def test_exactly_one_is_accepted(installation: Product) -> None:
    flow = installation.provision("kairos")
    partner = Partner(flow, installation.url)
    payload = {
        "api-version": "1.0",
        "security-id": partner.bundle["security_id"],
        "flow-id": partner.bundle["flow_id"],
        "calls": [
            {
                "client-identifier": "race-1",
                "start-time": "2030-01-01T10:00:00+05:30",
                "contact-numbers": ["910000000001"],
                "keys": [],
            }
        ],
    }
    order = {
        "url": partner.url,
        "body": partner.seal(payload).body.decode(),
        "headers": {"Content-Type": "application/json"},
        "times": 100,
        "threads": 10,
    }
    senders = [_sender(order) for _ in range(2)]
    seen: Counter[tuple[int, Any]] = Counter()
    for sender in senders:
        assert sender.stdin is not None
        sender.stdin.write("go\n")
        sender.stdin.flush()
    for sender in senders:
        output, _ = sender.communicate(timeout=120)
        for status, body, count in json.loads(output):
            seen[status, json.loads(body)["api-response-code"]] += count
    assert seen == {(200, 200): 1, (200, 201): 199}


def _sender(order: dict[str, Any]) -> subprocess.Popen[str]:
    sender = subprocess.Popen(
        [sys.executable, "-m", "tests.support.hammer"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert sender.stdin is not None
    assert sender.stdout is not None
    sender.stdin.write(json.dumps(order) + "\n")
    sender.stdin.flush()
    assert sender.stdout.readline() == "ready\n"
    return sender
