"""A ring costs nothing once the broker did not take one, and works again when it is back."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from callbacks import doorbell
from callbacks.doorbell import Doorbell
from tests.faults.brokers import Broker, RabbitMQ, Redis
from tests.support import product
from tests.support.product import Product


class Task:
    """A task of Celery's, for a broker that takes it or does not."""

    def __init__(self) -> None:
        self.is_away = False
        self.sent = self.refused = 0
        self.takes: Callable[[], None] = lambda: None

    def delay(self) -> None:
        self.takes()
        if self.is_away:
            self.refused += 1
            raise ConnectionError("redis://user:s3cr3t@host")
        self.sent += 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("callbacks.doorbell.time.monotonic", lambda: now[0])
    return now


def test_nobody_rings_for_a_while_after_a_ring_in_vain(
    clock: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    bell, task = Doorbell(), Task()
    bell.ring(task)
    task.is_away = True
    for _ in range(5):
        bell.ring(task)
    assert (task.sent, task.refused) == (1, 2)
    assert caplog.messages == ["The broker cannot be rung: ConnectionError"] * 2
    clock[0] += doorbell.QUIET
    bell.ring(task)
    assert (task.sent, task.refused) == (1, 3)
    task.is_away = False
    clock[0] += doorbell.QUIET
    bell.ring(task)
    bell.ring(task)
    assert (task.sent, task.refused) == (3, 3)


def test_one_ring_in_vain_silences_nobody(clock: list[float]) -> None:
    """It may only have met a connection that the broker closed while nobody used it."""
    bell, task = Doorbell(), Task()
    for _ in range(3):
        task.is_away = True
        bell.ring(task)
        task.is_away = False
        bell.ring(task)
    assert (task.sent, task.refused) == (3, 3)


def test_one_that_took_long_to_fail_is_enough(clock: list[float]) -> None:
    bell, task = Doorbell(), Task()
    task.is_away, task.takes = True, lambda: clock.__setitem__(0, clock[0] + 2)
    for _ in range(3):
        bell.ring(task)
    assert task.refused == 1


#: Rings, has the broker stand still, rings, lets it go on and rings; prints the seconds of each.
_RING = """
import os, signal, sys, time
from callbacks.doorbell import QUIET
from callbacks.tasks import ring
def timed():
    began = time.monotonic()
    ring()
    print(round(time.monotonic() - began, 2))
timed()
os.killpg({pid}, signal.SIGSTOP)
timed()
timed()
timed()
os.killpg({pid}, signal.SIGCONT)
time.sleep(QUIET)
timed()
"""


@pytest.fixture(params=[Redis, RabbitMQ])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    made: Broker = request.param(tmp_path / "broker")
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def copy(broker: Broker, tmp_path: Path) -> Iterator[Product]:
    made = product.start(tmp_path / "copy", processes=(), settings=broker.settings)
    yield made
    made.stop()


@pytest.mark.product
@pytest.mark.once
@pytest.mark.timeout(180)
def test_a_broker_that_stands_still_is_waited_for_once_and_not_long(
    broker: Any, copy: Product
) -> None:
    process: subprocess.Popen[bytes] = broker._process
    try:
        done = copy.manage("shell", "--no-imports", "-c", _RING.format(pid=process.pid))
    finally:
        os.killpg(process.pid, signal.SIGCONT)
    warm, still, *quiet, again = [float(line) for line in done.stdout.split()]
    assert max(warm, again) < 2
    assert 0.5 < still < 15
    assert max(quiet) < 0.2
    assert done.stderr.count("The broker cannot be rung") == 1
