"""What was acknowledged is delivered, whichever process is killed in between."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support import product
from tests.support.partner import Partner
from tests.support.receiver import Received, Receiver

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(180)]


def test_callbacks_outlive_web_worker_and_broker(tmp_path: Path) -> None:
    """Web is killed after it answered, nobody works, the broker's files vanish: all arrive."""
    with Receiver() as receiver:
        # A lease of 12 s, not 60: what the killed worker held is due again after it.
        copy = product.start(
            tmp_path / "copy",
            processes=("web",),
            settings={"SEALGATE_CALLBACK_SECONDS": "3", "SEALGATE_WEB_PROCESSES": "1"},
        )
        try:
            flow = copy.provision("citcall", "--callback-url", receiver.url)
            partner = Partner(flow, copy.url)
            for number in range(5):
                answer = partner.call(
                    {
                        "msisdn": f"08120000010{number}",
                        "gateway": 1,
                        "clientUniqueId": f"k-{number}",
                    }
                )
                assert answer["rc"] == "00"
            copy.kill("web")
            for message in (copy.var / "broker" / "queue").iterdir():
                message.unlink()
            copy.spawn("worker")
            copy.spawn("beat")
            first = receiver.wait_for(1, seconds=60)
            assert first
            copy.kill("worker")
            copy.spawn("worker")
            requests = _distinct(receiver, 5, seconds=90)
        finally:
            copy.stop()
        log = copy.log.read_text()[-4000:]
    assert len(requests) == 5, log
    opened = {
        partner.scheme.open_callback(
            request.body,
            request.headers,
            partner.credentials,
            partner.options,
            now=float(request.headers["webhook-timestamp"]),
        )["clientUniqueId"]
        for request in requests
    }
    assert opened == {f"k-{number}" for number in range(5)}


def _distinct(receiver: Receiver, count: int, seconds: float) -> list[Received]:
    """Return one request for each delivery, as soon as there are ``count``."""
    deadline = time.monotonic() + seconds
    while True:
        seen = {request.headers["webhook-id"]: request for request in list(receiver.requests)}
        if len(seen) >= count or time.monotonic() > deadline:
            return list(seen.values())
        time.sleep(0.1)
