"""A killed web process takes its last second of log rows along, and nothing of the business."""

from __future__ import annotations

import signal
import sqlite3
import time
from pathlib import Path

import pytest

from tests.support import product
from tests.support.partner import Partner
from tests.support.product import Product

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(180)]

#: The promise, and a bit for a machine that is busy with other tests.
SECONDS = 1.0
GRACE = 0.5
_ONE_PROCESS = {"SEALGATE_WEB_PROCESSES": "1"}


def served(copy: Product, *, count: int, pause: float) -> list[float]:
    """Place ``count`` calls; return when each was acknowledged."""
    partner = Partner(copy.provision("citcall"), copy.url)
    times = []
    for number in range(count):
        answer = partner.call({"msisdn": f"08120000{number:04}", "gateway": 1})
        assert answer["rc"] == "00"
        times.append(time.monotonic())
        time.sleep(pause)
    return times


def rows(copy: Product, table: str) -> int:
    with sqlite3.connect(copy.var / "sealgate.sqlite3", timeout=30) as database:
        count: int = database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        return count


def test_sigkill_loses_a_second_of_log_rows_and_no_business_row(tmp_path: Path) -> None:
    copy = product.start(tmp_path / "copy", processes=("web",), settings=_ONE_PROCESS)
    try:
        times = served(copy, count=40, pause=0.06)
        copy.kill("web", signal.SIGKILL)
        killed = time.monotonic()
    finally:
        copy.stop()
    old = sum(killed - at > SECONDS + GRACE for at in times)
    assert rows(copy, "citcall_missedcall") == 40
    assert old >= 10
    assert old <= rows(copy, "flows_endpoint_exchangerow") <= 40


def test_an_end_that_is_asked_for_loses_nothing(tmp_path: Path) -> None:
    copy = product.start(tmp_path / "copy", processes=("web",), settings=_ONE_PROCESS)
    try:
        served(copy, count=15, pause=0)
        copy.kill("web", signal.SIGTERM)
    finally:
        copy.stop()
    assert rows(copy, "citcall_missedcall") == 15
    assert rows(copy, "flows_endpoint_exchangerow") == 15
    with sqlite3.connect(copy.var / "sealgate.sqlite3", timeout=30) as database:
        used = database.execute(
            "SELECT use_count FROM tenants_key WHERE purpose = 'api_key'"
        ).fetchall()
    assert used == [(15,)]
