"""A company's service that hangs keeps nobody else waiting, and no database connection."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.support import product, services
from tests.support.partner import Partner
from tests.support.product import Product
from tests.support.receiver import Receiver, Reply

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(240)]

_SEATS, _PLACES = 2, 16
#: What one flow gets of the places.
_SHARE = 12
#: Seconds an upstream may take, and within which everybody else is served on a busy machine.
_LIMIT, _AT_ONCE = 6.0, 2.0
_SETTINGS = {
    "SEALGATE_WEB_PROCESSES": "1",
    "SEALGATE_WEB_THREADS": str(_SEATS),
    "SEALGATE_UPSTREAM_CALLS": str(_PLACES),
    "SEALGATE_UPSTREAM_READ_SECONDS": str(_LIMIT),
    "SEALGATE_OUTBOUND_ALLOW": "127.0.0.0/8",
}
_BILL = {"mobile_no": "9000000004", "email": "demo@example.com"}
_ANSWER = b'{"status":"SUCCESS"}'


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a migrated database; empty for the embedded one."""
    if request.param == "sqlite":
        yield ""
        return
    with services.migrated_postgresql() as url:
        yield url


@pytest.fixture
def copy(database: str, tmp_path: Path) -> Iterator[Product]:
    """A running web process, two requests wide."""
    settings = _SETTINGS | ({"DATABASE_URL": database} if database else {})
    running = product.start(tmp_path / "copy", processes=("web",), settings=settings)
    yield running
    running.stop()


@pytest.fixture
def hung() -> Iterator[Receiver]:
    """A service that answers, but far too late."""
    with Receiver() as receiver:
        receiver.default = Reply(body=_ANSWER, delay=3 * _LIMIT)
        yield receiver


@pytest.fixture
def quick() -> Iterator[Receiver]:
    """A service that answers at once."""
    with Receiver() as receiver:
        receiver.default = Reply(body=_ANSWER)
        yield receiver


def partner(copy: Product, service: Receiver | None) -> Partner:
    """Return the partner of a new flow; without a service, the sandbox is behind it."""
    more = () if service is None else ("--upstream-url", f"{service.url}/bills")
    made = copy.provision("isu", *more) | {"path": "/bbps/electricity/fetch-bill"}
    return Partner(made, copy.url)


def status_of(who: Partner) -> tuple[int, float]:
    """Return the status of an answer, and after how many seconds it came."""
    begun = time.monotonic()
    status, _, _ = who.send(who.seal(_BILL))
    return status, time.monotonic() - begun


def test_others_are_served_while_a_service_hangs(
    copy: Product, database: str, hung: Receiver, quick: Receiver
) -> None:
    waiting, served, by_sandbox = (partner(copy, behind) for behind in (hung, quick, None))
    with ThreadPoolExecutor(_SHARE) as threads:
        begun = time.monotonic()
        asked = [threads.submit(status_of, waiting) for _ in range(_SHARE)]
        hung.wait_for(_SHARE)
        for _ in range(5):
            for who in (served, by_sandbox):
                status, seconds = status_of(who)
                assert status == 200
                assert seconds < _AT_ONCE
        # One more of the flow whose service hangs is refused, and not sent.
        status, seconds = status_of(waiting)
        assert status == 503
        assert seconds < _AT_ONCE
        assert len(hung.requests) == _SHARE
        if database:
            with psycopg.connect(database) as connection:
                row = connection.execute(
                    "SELECT count(*) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                ).fetchone()
                assert row is not None
                # Those of the seats, the exchange log's and the reporter's.
                assert row[0] <= _SEATS + 2
        assert time.monotonic() - begun < _LIMIT
        assert [each.result()[0] for each in asked] == [504] * _SHARE
    assert len(quick.requests) == 5
    # Once it is well it is asked as ever.
    hung.default = Reply(body=_ANSWER)
    assert [status_of(waiting)[0] for _ in range(3)] == [200, 200, 200]
