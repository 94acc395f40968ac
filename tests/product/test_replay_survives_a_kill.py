"""A replay whose worker is killed in the middle goes on, and leaves out nothing and nobody else."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support import product, services
from tests.support.product import Product
from tests.support.receiver import Receiver

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(300)]

#: Several pieces of 500, so that there is a middle.
_SELECTED = 2_000
_OTHERS = 40
_LEASE = 12

#: What has arrived, and what is not meant: deliveries of another event, and dead ones.
_FILL = """
import uuid
from datetime import timedelta
from django.utils import timezone
from callbacks.models import Delivery, Endpoint
from crypto_schemes.scheme import write_json
from tenants import at_rest
from tenants.models import Flow
flow = Flow.objects.get()
endpoint = Endpoint.objects.create(flow=flow, channel="callback")
now = timezone.now()
def row(number, event, state):
    made = Delivery(id=uuid.uuid4(), flow=flow, endpoint=endpoint, event=event, state=state,
                    subject=f"{{event}} {{state}}", settled_at=now)
    made.body = at_rest.seal(write_json({{"n": number}}), made.at_rest_context)
    return made
rows = [row(number, "call.ended", "delivered") for number in range({selected})]
rows += [row(number, "call.other", "delivered") for number in range({others})]
rows += [row(number, "call.ended", "failed") for number in range({others})]
Delivery.objects.bulk_create(rows, batch_size=500)
print(Delivery.objects.count())
"""
#: Kills the processes of a group, read from standard input, as soon as a piece is done.
_WATCH = """
import os, signal, time
from callbacks.models import Replay
print("looking", flush=True)
worker = int(input())
while not Replay.objects.filter(seen__gt=0).exists():
    time.sleep(0.005)
os.killpg(worker, signal.SIGKILL)
print("killed", flush=True)
"""
_SEE = """
import json, time
from django.db.models import Count
from callbacks.models import Attempt, Delivery, Replay
deadline = time.monotonic() + {seconds}
while time.monotonic() < deadline and (
    Replay.objects.filter(state="running").exists()
    or Delivery.objects.filter(state="pending").exists()
):
    time.sleep(0.2)
replay = Replay.objects.get()
print(json.dumps({{
    "replay": [replay.state, replay.total, replay.seen, replay.queued],
    "lost": Attempt.objects.filter(error="worker_lost").count(),
    "deliveries": [
        [str(row.pk), row.subject, row.state, row.attempts, row.written]
        for row in Delivery.objects.annotate(written=Count("tries"))
    ],
}}))
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def copy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Product]:
    """A copy of which nothing runs yet."""
    # A lease of 12 s, not 60: what the killed worker held is due again after it.
    settings = {"SEALGATE_CALLBACK_SECONDS": str(_LEASE // 4)}
    if request.param == "sqlite":
        yield from _started(tmp_path, settings)
        return
    with services.migrated_postgresql() as database:
        yield from _started(tmp_path, settings | {"DATABASE_URL": database})


def _started(var: Path, settings: dict[str, str]) -> Iterator[Product]:
    running = product.start(var / "copy", processes=(), settings=settings)
    yield running
    running.stop()


def test_every_selected_delivery_goes_out_once_more(copy: Product) -> None:
    with Receiver() as receiver:
        copy.provision("citcall", "--callback-url", receiver.url)
        filled = _FILL.format(selected=_SELECTED, others=_OTHERS)
        assert _shell(copy, filled) == _SELECTED + 2 * _OTHERS
        copy.manage(
            *("delivery", "replay", "--event", "call.ended", "--state", "delivered"),
            *("--since", "1h", "--until", "0m"),
        )
        with _watching(copy) as watch:
            copy.spawn("worker")
            print(copy.processes["worker"].pid, file=watch.stdin, flush=True)
            assert watch.stdout.readline() == "killed\n"
            copy.kill("worker")  # is waited for
        state, total, seen, queued = _see(copy, seconds=0)["replay"]
        assert (state, total, queued) == ("running", _SELECTED + 2 * _OTHERS, seen)
        assert 0 < seen < _SELECTED, "it was not in the middle"
        copy.spawn("worker")
        after = _see(copy, seconds=150)
        copy.kill("worker")
        arrived = Counter(request.headers["webhook-id"] for request in list(receiver.requests))
    assert after["replay"] == ["done", total, total, _SELECTED]
    rows = after["deliveries"]
    selected = {pk: row for pk, *row in rows if row[0] == "call.ended delivered"}
    assert len(selected) == _SELECTED
    assert {row[1] for row in selected.values()} == {"delivered"}
    assert set(arrived) == set(selected)
    # What came twice came with the worker that was killed, and is written down as lost.
    assert arrived.total() - len(arrived) <= after["lost"]
    assert sum(row[2] for row in selected.values()) == _SELECTED + after["lost"]
    assert all(attempts == written for _, _, attempts, written in selected.values())
    others = [row for pk, *row in rows if pk not in selected]
    assert Counter((state, attempts) for _, state, attempts, _ in others) == {
        ("delivered", 0): _OTHERS,
        ("failed", 0): _OTHERS,
    }


@contextmanager
def _watching(copy: Product) -> Iterator[Any]:
    """Yield a process that is told whom to kill as soon as a piece of the replay is done."""
    watch = subprocess.Popen(
        [sys.executable, "manage.py", "shell", "--verbosity", "0", "-c", _WATCH],
        cwd=product.ROOT,
        env=copy.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert watch.stdout is not None
        assert watch.stdout.readline() == "looking\n"
        yield watch
    finally:
        watch.kill()
        watch.wait()


def _see(copy: Product, seconds: float) -> dict[str, Any]:
    """Return what the database says when all is over, or after ``seconds``."""
    seen: dict[str, Any] = _shell(copy, _SEE.format(seconds=seconds))
    return seen


def _shell(copy: Product, script: str) -> Any:
    done = copy.manage("shell", "--verbosity", "0", "-c", script)
    return json.loads(done.stdout.splitlines()[-1])
