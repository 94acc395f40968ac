"""A broker that is gone altogether, and beat with it, delays work by seconds and stops none."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support import product
from tests.support.partner import Partner
from tests.support.receiver import Receiver, Reply

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(180)]

_ENQUEUE = """
from django.db import transaction
from callbacks.outbox import enqueue
from tenants.models import Flow
with transaction.atomic():
    for number in range(3):
        enqueue(str(Flow.objects.get().pk), "call.ended", {"n": number})
"""


@pytest.mark.parametrize(
    "broker",
    ["redis://127.0.0.1:{port}/0", "amqp://x:y@127.0.0.1:{port}/"],
    ids=["redis", "rabbitmq"],
)
def test_workers_find_what_is_due_by_themselves(tmp_path: Path, broker: str) -> None:
    with Receiver() as receiver:
        receiver.next(Reply(status=503))
        url = broker.format(port=product.free_port())
        copy = product.start(
            tmp_path / "copy",
            processes=("web",),
            settings={"CELERY_BROKER_URL": url, "SEALGATE_WEB_PROCESSES": "1"},
        )
        try:
            provisioned = copy.provision("citcall", "--callback-url", receiver.url)
            copy.spawn("worker")
            started = time.monotonic()
            copy.manage("shell", "-c", _ENQUEUE)
            assert time.monotonic() - started < 30  # the business did not wait for the broker
            requests = receiver.wait_for(4, seconds=90)
            assert len({request.headers["webhook-id"] for request in requests}) == 3
            # The call ends by a timer, which a worker finds too.
            placed = Partner(provisioned, copy.url).call({"msisdn": "081200000001", "gateway": 1})
            assert placed["rc"] == "00"
            receiver.wait_for(5, seconds=90)
        finally:
            copy.stop()
