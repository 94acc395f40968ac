"""Real processes report, and a promotion waits for each of them."""

from __future__ import annotations

import os
import signal
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.support import product, services
from tests.support.officer import Officer, RefusedError

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(240)]

#: Seconds between reports without news; a process is gone after three times that.
_REPORT_SECONDS = 2


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def copy(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[product.Product]:
    """Two web processes, a worker and a beat."""
    settings = {"SEALGATE_PROCESS_REPORT_SECONDS": str(_REPORT_SECONDS)}
    with ExitStack() as stack:
        if request.param == "postgresql":
            settings["REDIS_URL"] = stack.enter_context(
                services.fresh_redis(tmp_path_factory.mktemp("redis"))
            )
            settings["CELERY_BROKER_URL"] = settings["REDIS_URL"]
            settings["DATABASE_URL"] = stack.enter_context(services.migrated_postgresql())
        running = product.start(tmp_path_factory.mktemp("rollout"), settings=settings)
        stack.callback(running.stop)
        yield running


@pytest.fixture(scope="module")
def officer(copy: product.Product) -> Iterator[Officer]:
    with Officer(copy) as officer:
        wait_for(lambda: len(officer.processes()) == 3)
        yield officer


def wait_for(is_so: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


def test_web_and_worker_report_and_nobody_else(officer: Officer) -> None:
    """The beat serves nobody, and neither does the officer, which has Django set up as well."""
    kinds = [name.partition(" ")[0] for name in officer.processes()]
    assert kinds == ["web", "web", "worker"]


def test_a_version_just_staged_is_loaded_everywhere_within_two_seconds(
    officer: Officer,
) -> None:
    flow = officer.provision("citcall")["flow"]
    waited = []
    for _ in range(5):
        staged = officer.generate(flow, "api_key")
        assert staged["state"] == "staged"
        waited.append(officer.promote(staged["id"], wait=30)["waited"])
    print(f"waited for the processes: {', '.join(f'{seconds:.2f}' for seconds in waited)} s")
    assert max(waited) > 0, "there was nobody to wait for"
    assert statistics.median(waited) <= 2.0


def test_a_process_that_hangs_is_named_until_it_is_gone(
    copy: product.Product, officer: Officer
) -> None:
    flow = officer.provision("citcall")["flow"]
    first = officer.active(flow)["api_key"]["id"]
    victim = copy.web_workers()[0]
    name = f"web {socket.gethostname()}:{victim}"
    assert name in officer.processes()
    os.kill(victim, signal.SIGSTOP)
    try:
        staged = officer.generate(flow, "api_key")
        with pytest.raises(RefusedError) as refused:
            officer.promote(staged["id"], wait=1)
    finally:
        os.kill(victim, signal.SIGKILL)
    told = str(refused.value)
    assert "Loaded by 2 of 3 processes" in told
    assert f"{name} has not loaded it yet" in told
    assert officer.active(flow)["api_key"]["id"] == first
    # Killed it cannot take its report back: it counts until that is old.
    assert name in officer.processes()
    promoted = officer.promote(staged["id"], wait=60)
    assert promoted["waited"] <= 3 * _REPORT_SECONDS + 30
    assert officer.active(flow)["api_key"]["id"] == staged["id"]
    assert name not in officer.processes()
    wait_for(lambda: len(officer.processes()) == 3)


def test_what_ends_in_good_order_takes_its_report_back(
    copy: product.Product, officer: Officer
) -> None:
    assert officer.reports() >= 3
    for name in ("web", "worker"):
        copy.processes[name].send_signal(signal.SIGTERM)
        copy.processes[name].wait(60)
    assert officer.processes() == []
