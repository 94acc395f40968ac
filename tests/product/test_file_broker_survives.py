"""A worker goes on, and starts, whatever a kill has left in the broker's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import product
from tests.support.partner import Partner
from tests.support.receiver import Receiver

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(120)]


def test_half_written_files_end_no_worker(tmp_path: Path) -> None:
    """Half a message under a running worker, half a table before it starts: callbacks arrive."""
    with Receiver() as receiver:
        copy = product.start(tmp_path / "copy", settings={"SEALGATE_WEB_PROCESSES": "1"})
        try:
            partner = Partner(copy.provision("citcall", "--callback-url", receiver.url), copy.url)
            queue, control = copy.var / "broker" / "queue", copy.var / "broker" / "control"
            _call(partner, 0)
            receiver.wait_for(1, seconds=30)
            (queue / "0_half.celery.msg").write_bytes(b'{"body": "W1')
            _call(partner, 1)
            receiver.wait_for(2, seconds=30)
            copy.kill("worker")
            for table in control.glob("*.exchange"):
                table.write_bytes(b"")
            copy.spawn("worker")
            _call(partner, 2)
            receiver.wait_for(3, seconds=30)
            assert copy.processes["worker"].poll() is None
        finally:
            copy.stop()
    assert not list(queue.glob("*half*"))
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 3


def _call(partner: Partner, number: int) -> None:
    answer = partner.call(
        {"msisdn": f"08120000010{number}", "gateway": 1, "clientUniqueId": f"f-{number}"}
    )
    assert answer["rc"] == "00"
