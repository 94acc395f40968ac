"""Whatever is killed, and whenever: every call that was acknowledged is reported, in order.

Partners place calls at the web process until each is acknowledged; half of the flows' callbacks
go out side by side, half in lanes, one by one. The receiver fails a fifth of what it gets.
Meanwhile web, two workers, beat and broker are SIGKILLed again and again, and the broker loses all
it holds.

The suite runs a small one. The full proof: ``SEALGATE_FAULTS_DELIVERIES=5000``.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.faults import state
from tests.faults.brokers import Broker, Files, RabbitMQ, Redis
from tests.faults.killer import Killer
from tests.faults.partners import Partners
from tests.faults.receiver import Arrival, UnreliableReceiver
from tests.support import product, services
from tests.support.partner import Partner

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(1800)]

_DELIVERIES = int(os.environ.get("SEALGATE_FAULTS_DELIVERIES", "300"))
_SEED = int(os.environ.get("SEALGATE_FAULTS_SEED", "0")) or random.SystemRandom().randrange(
    1, 2**31
)
#: Seconds of an attempt at most; a lease is four times as long.
_ATTEMPT = 3
_LEASE = 4 * _ATTEMPT
#: Calls under way at once to the endpoint that keeps no order.
_SIDE_BY_SIDE = 24


@dataclass(frozen=True)
class Size:
    """How much: of what, over how many seconds, and within how many all must have arrived."""

    deliveries: int
    lanes: int
    seconds: float
    faults: dict[str, int]
    patience: float


def size_of(deliveries: int) -> Size:
    """Return the size of a run: a fault for each hundred deliveries or so, at least one each."""
    share = max(1, deliveries // 600)
    # In a small run a second kill of one worker shows what the first one did.
    of_workers = 2 * share if share > 1 else 1
    return Size(
        deliveries=deliveries,
        lanes=max(6, deliveries // 200),
        seconds=deliveries / 25,
        faults={
            "web": share,
            "worker": of_workers,
            "worker-2": of_workers,
            "beat": share,
            "broker": share,
            "flush": share,
        },
        patience=180 + deliveries / 4,
    )


@dataclass(frozen=True)
class Running:
    """A copy of the product with two workers, and the broker it uses."""

    copy: product.Product
    broker: Broker


@pytest.fixture(params=["files", "redis", "rabbitmq"])
def running(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    """On SQLite and files, on PostgreSQL and Redis, on PostgreSQL and RabbitMQ."""
    with ExitStack() as stack:
        settings = {
            "SEALGATE_CALLBACK_SECONDS": str(_ATTEMPT),
            "SEALGATE_SANDBOX_SPEED": "50",
            "SEALGATE_WEB_PROCESSES": "1",
            "SEALGATE_PROCESS_REPORT_SECONDS": "1",
        }
        broker: Broker
        if request.param == "files":
            broker = Files(tmp_path / "copy" / "broker")
        else:
            settings["DATABASE_URL"] = stack.enter_context(services.migrated_postgresql())
            broker = (Redis if request.param == "redis" else RabbitMQ)(tmp_path / "broker")
        stack.callback(broker.stop)
        broker.start()
        copy = product.start(
            tmp_path / "copy",
            processes=("web", "worker", "worker-2", "beat"),
            settings={**settings, **broker.settings},
        )
        stack.callback(copy.stop)
        yield Running(copy, broker)


def test_nothing_acknowledged_is_lost(running: Running) -> None:
    copy, broker, size = running.copy, running.broker, size_of(_DELIVERIES)
    print(f"\n{broker.name}: SEALGATE_FAULTS_SEED={_SEED} SEALGATE_FAULTS_DELIVERIES={_DELIVERIES}")
    faults = {name: n for name, n in size.faults.items() if broker.is_process or name != "broker"}
    began = time.monotonic()
    with UnreliableReceiver(_SEED) as receiver, ExitStack() as stack:
        schedule = {"schedule": [1] * 50}
        lanes = [f"lane-{number}" for number in range(size.lanes)]
        flows = state.set_up(
            copy,
            [
                ("free", receiver.url_of("free"), schedule | {"concurrency": _SIDE_BY_SIDE}),
                *((name, receiver.url_of(name), schedule | {"is_fifo": True}) for name in lanes),
            ],
        )
        partners = Partners(copy, flows, size.deliveries, size.seconds)
        killer = Killer(copy, broker, faults, size.seconds, _SEED)
        fired_at = time.monotonic()
        killer.start()
        stack.callback(killer.stop)
        partners.start()
        stack.callback(partners.stop)
        while (
            not (killer.is_done and partners.is_done and receiver.taken >= size.deliveries)
            and time.monotonic() - fired_at < size.seconds + size.patience
            and not partners.errors
            and not killer.error
        ):
            time.sleep(0.1)
        lasted = time.monotonic() - fired_at
        seen = state.see(copy, seconds=2 * _LEASE)
        arrivals = list(receiver.arrivals)
    times_taken = Counter(arrival.delivery for arrival in arrivals if arrival.taken)
    duplicates = times_taken.total() - len(times_taken)
    worker_kills = killer.done["worker"] + killer.done["worker-2"]
    at_once = _SIDE_BY_SIDE + size.lanes
    faulted = ", ".join(f"{name} {count}" for name, count in sorted(killer.done.items()))
    print(
        f"{len(partners.acknowledged):,} calls acknowledged, {len(times_taken):,} deliveries "
        f"arrived, {len(arrivals):,} requests at the receiver, {duplicates} duplicates (at most "
        f"{worker_kills} killed workers x {at_once} calls at once), {seen.lost} attempts lost with "
        f"a worker; killed or flushed: {faulted}; refused and repeated calls: "
        f"{dict(partners.refused)}; {lasted:.0f} s, {time.monotonic() - began:.0f} s in all"
    )
    assert (partners.errors, killer.error) == ([], None)
    assert killer.done == Counter(faults)
    assert len(partners.acknowledged) == size.deliveries

    # One call for each id however often it was repeated, and one delivery for each call.
    assert seen.calls == len(seen.deliveries) == size.deliveries
    opened = _unique_ids(copy, dict(flows), arrivals)
    assert sorted(opened.values()) == sorted(partners.acknowledged)
    assert set(times_taken) == set(seen.deliveries)
    assert {row.state for row in seen.deliveries.values()} == {"delivered"}

    # What came twice came with a worker that was killed, and never two at a time.
    assert duplicates <= min(worker_kills * at_once, seen.lost)
    assert all(row.written == row.attempts for row in seen.deliveries.values())
    requests = defaultdict(list)
    for arrival in arrivals:
        requests[arrival.delivery].append(arrival)
    for pk, mine in requests.items():
        assert len(mine) <= seen.deliveries[pk].attempts
        for one, next_ in pairwise(mine):
            assert one.until <= next_.at, "two workers were at one delivery"

    # In a lane nothing is tried before what was made earlier has arrived.
    for name in lanes:
        places = [seen.deliveries[each.delivery].position for each in arrivals if each.flow == name]
        assert None not in places
        assert places == sorted(places, key=lambda place: place or 0), name


def _unique_ids(
    copy: product.Product, flows: Mapping[str, dict[str, Any]], arrivals: Iterable[Arrival]
) -> dict[str, str]:
    """Return the ``clientUniqueId`` of each delivery that was taken, by its opened body."""
    partners = {name: Partner(flow, copy.url) for name, flow in flows.items()}
    ids: dict[str, str] = {}
    for arrival in arrivals:
        if not arrival.taken:
            continue
        partner, request = partners[arrival.flow], arrival.request
        opened: Any = partner.scheme.open_callback(
            request.body,
            request.headers,
            partner.credentials,
            partner.options,
            now=float(request.headers["webhook-timestamp"]),
        )
        assert (
            ids.setdefault(arrival.delivery, opened["clientUniqueId"]) == opened["clientUniqueId"]
        )
    return ids
