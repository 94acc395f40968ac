"""A database that stands still is refused for, not waited for, and used again when it goes on.

Web processes refuse; a worker lets go, and delivers afterwards. And one that is restarted costs
nobody a request once it is back.
"""

from __future__ import annotations

import itertools
import json
import signal
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import urllib3

from crypto_schemes.isu import IsuOptions
from tests.product.fire.partner import written
from tests.support import product, services
from tests.support.partner import Partner
from tests.support.product import Product
from tests.support.receiver import Receiver
from tests.support.services import OwnPostgreSQL

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(240)]

#: What SEALGATE_DATABASE_SECONDS is, and how long a request may take under it on a busy machine.
_LIMIT = 2.0
_SOON = 4 * _LIMIT
_AT_ONCE = 1.0
#: Seconds after which each process knows of a restart, with time to spare.
_LOOKED = 3.0
#: Makes a flow of each contract; prints what ``provision --json`` does, by contract.
_PROVISION = """
import io, json
from django.core.management import call_command
flows = {}
for name in ("kairos", "citcall", "isu", "whatsapp_flows", "flynn"):
    printed = io.StringIO()
    call_command("provision", name, client="acme", json=True, stdout=printed)
    flows[name] = json.loads(printed.getvalue())
print(json.dumps(flows))
"""
#: Puts a callback into the outbox of the one flow there is.
_ENQUEUE = """
from django.db import transaction
from callbacks import outbox
from tenants.models import Flow
with transaction.atomic():
    outbox.enqueue(str(Flow.objects.get().pk), "call.ended", {"number": %d}, subject="%d")
"""
#: What each contract says of itself when something of ours is missing.
_UNAVAILABLE = {
    "kairos": (200, {"api-response-code": 500, "api-response-message": "Failure"}),
    "citcall": (200, {"rc": "34", "info": "Service temporarily unavailable"}),
    "isu": (503, {"status": -1, "statusDesc": "Service is unavailable"}),
    "whatsapp_flows": (500, ""),
    "flynn": (
        503,
        {"error": {"message": "err-service-unavailable", "type": "Runtime", "args": {}}},
    ),
}


class Reply(NamedTuple):
    """What came back, and after how many seconds."""

    status: int
    body: Any
    seconds: float


@pytest.fixture
def server() -> Iterator[OwnPostgreSQL]:
    with services.own_postgresql() as made:
        yield made


@pytest.fixture
def copy(server: OwnPostgreSQL, tmp_path: Path) -> Iterator[Product]:
    settings = {"DATABASE_URL": server.url, "SEALGATE_DATABASE_SECONDS": str(_LIMIT)}
    made = product.start(tmp_path / "copy", processes=(), settings=settings)
    made.manage("migrate", "--verbosity", "0")
    made.spawn("web")
    try:
        made.wait_until_served()
        yield made
    finally:
        made.stop()


def ask(url: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
    began = time.monotonic()
    method = "POST" if body else "GET"
    said = urllib3.request(method, url, body=body, headers=headers, timeout=60, retries=False)
    try:
        answer = json.loads(said.data)
    except ValueError:
        answer = said.data.decode()
    return Reply(said.status, answer, time.monotonic() - began)


class Partners:
    """A partner of each contract, whose every request needs the database."""

    def __init__(self, copy: Product) -> None:
        self._url = copy.url
        done = copy.manage("shell", "--verbosity", "0", "-c", _PROVISION)
        self._flows: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        self._numbers = itertools.count()

    def ask_each(self) -> dict[str, Reply]:
        """Send a request to each at once."""
        asked = [self._kairos, self._citcall, self._isu, self._whatsapp, self._flynn]
        with ThreadPoolExecutor(len(asked)) as threads:
            done = [threads.submit(each) for each in asked]
            return dict(zip(self._flows, (each.result() for each in done), strict=True))

    def _kairos(self) -> Reply:
        identity = self._flows["kairos"]["credentials"]
        ids = {name: identity[name.replace("-", "_")] for name in ("security-id", "flow-id")}
        order = {**ids, "phonon-uuids": [uuid.uuid4().hex], "fetch-attempt": "ALL"}
        return self._post("/kairos-apis/outbound/pull", order)

    def _citcall(self) -> Reply:
        number = f"0812{next(self._numbers):08}"
        return self._sealed("citcall", {"msisdn": number, "gateway": 1})

    def _isu(self) -> Reply:
        order = {
            "mobile_no": "9000000004",
            "email": "demo@example.com",
            "biller_params": [{"name": "Consumer Number", "value": f"{next(self._numbers)}1"}],
        }
        return self._sealed("isu", order, path=IsuOptions().electricity_bill_path)

    def _whatsapp(self) -> Reply:
        order = {"version": "3.0", "action": "INIT", "screen": "", "data": {}}
        return self._sealed("whatsapp_flows", {**order, "flow_token": uuid.uuid4().hex})

    def _flynn(self) -> Reply:
        identity = self._flows["flynn"]["credentials"]
        order = {
            "handle": identity["handle"],
            "handleType": "email",
            "password": identity["password"],
            "tokenDurationInMins": 30,
        }
        return self._post("/theodore/apis/v1/authtokens", order)

    def _post(self, path: str, order: dict[str, Any]) -> Reply:
        headers = {"Content-Type": "application/json"}
        return ask(self._url + path, json.dumps(order).encode(), headers)

    def _sealed(self, name: str, order: dict[str, Any], path: str = "") -> Reply:
        partner = Partner(self._flows[name], self._url)
        sent = partner.seal(order)
        headers = {written(header): value for header, value in sent.headers.items()}
        return ask(self._url + path if path else partner.url, sent.body, headers)


def is_served(replies: Mapping[str, Reply]) -> bool:
    """Return whether each contract had its database."""
    return all(reply[:2] != _UNAVAILABLE[name] for name, reply in replies.items())


def test_each_contract_says_so_itself_and_goes_on_afterwards(
    copy: Product, server: OwnPostgreSQL
) -> None:
    partners = Partners(copy)
    assert is_served(partners.ask_each())
    server.signal(signal.SIGSTOP)
    # More than there are threads, which wait until somebody finds out; then nobody waits.
    with ThreadPoolExecutor(5) as threads:
        waiting = [threads.submit(partners.ask_each) for _ in range(5)]
        for each in waiting:
            for name, reply in each.result().items():
                assert reply[:2] == _UNAVAILABLE[name]
                assert reply.seconds < _SOON, name
    for _ in range(2):
        for name, reply in partners.ask_each().items():
            assert reply[:2] == _UNAVAILABLE[name]
            assert reply.seconds < _AT_ONCE, name
        alive = ask(f"{copy.url}/livez")
        assert alive[:2] == (200, {"status": "ok"})
        assert alive.seconds < _AT_ONCE
        ready = ask(f"{copy.url}/readyz")
        assert (ready.status, ready.body["checks"]["database"]) == (503, "OperationalError")
        assert ready.seconds < _AT_ONCE
    server.signal(signal.SIGCONT)
    # Each process finds out by itself.
    deadline, served = time.monotonic() + 2 * _SOON, 0
    while served < 10:
        served = served + 1 if is_served(partners.ask_each()) else 0
        assert time.monotonic() < deadline, "it does not go on"
    assert ask(f"{copy.url}/readyz").status == 200
    server.restart()
    # By then a thread that looks for changes twice a second has found its connection broken.
    time.sleep(_LOOKED)
    assert all(is_served(partners.ask_each()) for _ in range(5))


@pytest.fixture
def worker(server: OwnPostgreSQL, tmp_path: Path) -> Iterator[Product]:
    """Yield a copy of which nothing runs but a worker."""
    settings = {"DATABASE_URL": server.url, "SEALGATE_DATABASE_SECONDS": str(_LIMIT)}
    made = product.start(tmp_path / "copy", processes=(), settings=settings)
    made.manage("migrate", "--verbosity", "0")
    made.spawn("worker")
    try:
        yield made
    finally:
        made.stop()


def told(copy: Product, what: str, *, times: int) -> None:
    """Return once the watch of the one process that runs has said ``what`` so many times."""
    deadline = time.monotonic() + 2 * _SOON
    while copy.log.read_text().count(what) < times:
        assert time.monotonic() < deadline, copy.log.read_text()[-3000:]
        time.sleep(0.05)


def test_a_worker_lets_go_delivers_afterwards_and_can_be_ended_meanwhile(
    worker: Product, server: OwnPostgreSQL
) -> None:
    with Receiver() as receiver:
        worker.provision("citcall", "--callback-url", receiver.url)
        worker.manage("shell", "--verbosity", "0", "-c", _ENQUEUE % (1, 1))
        receiver.wait_for(1, seconds=60)
        for number in (2, 3):
            server.signal(signal.SIGSTOP)
            told(worker, "The database does not answer.", times=number - 1)
            server.signal(signal.SIGCONT)
            told(worker, "The database answers again.", times=number - 1)
            worker.manage("shell", "--verbosity", "0", "-c", _ENQUEUE % (number, number))
            receiver.wait_for(number, seconds=60)
        server.signal(signal.SIGSTOP)
        told(worker, "The database does not answer.", times=3)
        process = worker.processes["worker"]
        process.terminate()
        assert process.wait(timeout=30) == 0
        server.signal(signal.SIGCONT)
        assert len(receiver.requests) == 3
