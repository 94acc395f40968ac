"""No request fails while every secret is replaced, again and again, and web processes are killed.

Partners of all five contracts send from processes of their own, over keep-alive connections, under
whatever versions they were handed. Every two seconds each secret that such requests use gets a
successor by the real verbs: generated, loaded by every process, handed over, promoted with an
overlap, the old one given up and retired. Meanwhile web processes are SIGKILLed and come back.

A failure is any answer that is not the protocol's success. A connection that ends with a process
that was killed while a request was under way is no answer: the partner sends a new request, and
these are counted apart.

The suite runs a small one. The full proof, with partners that never pause: ``SEALGATE_FIRE=full``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from crypto_schemes import registry
from flows_endpoint.flynn.examples import INVOICE
from tests.product.fire.fleet import Fleet
from tests.product.fire.killer import Killer
from tests.product.fire.partners import PARTNERS
from tests.product.fire.report import table
from tests.product.fire.rotation import Rounds
from tests.support import product, services
from tests.support.officer import Officer

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(900)]

_PROCESSES = 2


@dataclass(frozen=True)
class Size:
    """How much is asked for, and within how many seconds it must have been done.

    Each web process that came back is left alone for ``quiet`` seconds, and each connection
    pauses for ``pause`` seconds between two requests.
    """

    requests: int
    kills: int
    rotations: int
    threads: int
    quiet: float
    pause: float
    seconds: float


_SMALL = Size(requests=400, kills=2, rotations=2, threads=3, quiet=1, pause=0.1, seconds=240)
_FULL = {
    "sqlite": Size(requests=2_000, kills=2, rotations=3, threads=4, quiet=4, pause=0, seconds=240),
    "postgresql": Size(
        requests=20_000, kills=5, rotations=10, threads=6, quiet=10, pause=0, seconds=420
    ),
}
_IS_FULL = os.environ.get("SEALGATE_FIRE") == "full"
_OPTIONS = {"flynn": "max_sessions=1000"}
if not _IS_FULL:
    _OPTIONS["kairos"] = "rsa_bits=2048"  # one of 4096 takes seconds to make


@pytest.fixture(params=list(_FULL))
def fire(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[product.Product, Size]]:
    """A copy with two web processes: on SQLite and files, and on PostgreSQL and Redis."""
    settings = {
        "SEALGATE_WEB_PROCESSES": "2",
        # What was killed without a farewell is waited for three times as long.
        "SEALGATE_PROCESS_REPORT_SECONDS": "1",
        # Calls that were placed end long after the test: the fire is not about them.
        "SEALGATE_SANDBOX_SPEED": "0.001",
    }
    with ExitStack() as stack:
        if request.param == "postgresql":
            settings["REDIS_URL"] = stack.enter_context(
                services.fresh_redis(tmp_path_factory.mktemp("redis"))
            )
            settings["CELERY_BROKER_URL"] = settings["REDIS_URL"]
            settings["DATABASE_URL"] = stack.enter_context(services.migrated_postgresql())
        copy = product.start(tmp_path_factory.mktemp("fire"), settings=settings)
        stack.callback(copy.stop)
        yield copy, _FULL[request.param] if _IS_FULL else _SMALL


def test_no_request_fails(fire: tuple[product.Product, Size]) -> None:
    copy, size = fire
    began = time.monotonic()
    with Officer(copy) as officer, ExitStack() as stack:
        flows = [_provision(officer, scheme) for scheme in PARTNERS]
        told = [{"flow": flow["flow"], "secrets": flow["secrets"]} for flow in flows]
        fleet = Fleet(
            copy,
            told,
            INVOICE,
            processes=_PROCESSES,
            threads=size.threads,
            pause=size.pause,
        )
        stack.callback(fleet.kill)
        fleet.go()
        fired_at = time.monotonic()
        all_rounds = [_rounds(flow, officer, fleet) for flow in flows]
        killer = Killer(copy, officer, size.quiet)
        workers: list[Rounds | Killer] = [*all_rounds, killer]
        for worker in workers:
            worker.start()
        while (
            not _is_enough(size, fleet, all_rounds, killer)
            and time.monotonic() - fired_at < size.seconds
            and not any(worker.error for worker in workers)
        ):
            time.sleep(0.5)
        lasted = time.monotonic() - fired_at
        for worker in reversed(workers):
            worker.stop()
        fleet.stop()
        print(f"\n{table(fleet, all_rounds)}")
        print(_in_words(fleet, all_rounds, killer, lasted, time.monotonic() - began))
    assert [worker.error for worker in workers if worker.error] == []
    assert fleet.counts("failed").total() == 0, fleet.told()
    assert fleet.counts("broken").total() <= killer.kills * fleet.connections
    assert fleet.counts("served").total() >= size.requests
    assert killer.kills >= size.kills
    for rounds in all_rounds:
        assert fleet.counts("served")[rounds.scheme] > size.requests / 100
        assert min(rounds.rotations.values()) >= size.rotations, rounds.rotations
        for purpose in PARTNERS[rounds.scheme].secrets:
            assert rounds.by_staged[purpose] > 0, purpose
            assert rounds.by_outgoing[purpose] > 0, purpose


def _provision(officer: Officer, scheme: str) -> dict[str, Any]:
    """Make a flow; return what its partners are told, and the versions in force."""
    kind, contract = PARTNERS[scheme], registry.get(scheme)
    options = ("--option", _OPTIONS[scheme]) if scheme in _OPTIONS else ()
    made = officer.provision(scheme, *options)
    given: dict[str, str] = dict(made["credentials"])
    for purpose in kind.secrets:
        spec = contract.purpose(purpose)
        if not spec.issued_at_creation:
            given[spec.credential_name] = officer.generate(made["flow"], purpose)["secret"]
    versions = officer.active(made["flow"])
    texts = {name: given[contract.purpose(name).credential_name] for name in kind.secrets}
    texts |= {name: versions[name]["public_pem"] for name in kind.kept}
    flow = {name: made[name] for name in ("scheme", "address", "path")}
    names = {item.name for item in contract.identity}
    flow |= {"id": made["flow"], "identity": {name: given[name] for name in names}}
    return {
        "flow": flow,
        "secrets": {name: (versions[name]["id"], text) for name, text in texts.items() if text},
        "active": {name: versions[name]["id"] for name in texts},
        "handed_over": {
            name: "public_pem" if name in kind.kept else "secret"
            for name, text in texts.items()
            if text
        },
    }


def _rounds(flow: dict[str, Any], officer: Officer, fleet: Fleet) -> Rounds:
    return Rounds(
        flow=flow["flow"]["id"],
        scheme=flow["flow"]["scheme"],
        active=dict(flow["active"]),
        handed_over=flow["handed_over"],
        counted=PARTNERS[flow["flow"]["scheme"]].secrets,
        officer=officer,
        fleet=fleet,
    )


def _is_enough(size: Size, fleet: Fleet, all_rounds: Sequence[Rounds], killer: Killer) -> bool:
    return (
        fleet.counts("served").total() >= size.requests
        and killer.kills >= size.kills
        and all(
            rounds.rotations[purpose] >= size.rotations
            for rounds in all_rounds
            for purpose in rounds.active
        )
    )


def _in_words(
    fleet: Fleet, all_rounds: Sequence[Rounds], killer: Killer, lasted: float, whole: float
) -> str:
    waited = sorted(seconds for rounds in all_rounds for seconds in rounds.waited)
    served = fleet.counts("served").total()
    return (
        f"{killer.kills} web processes killed, {fleet.connections} connections; "
        f"{served / lasted:.0f} requests a second for {lasted:.0f} s, {whole:.0f} s in all; "
        f"processes waited for: half {waited[len(waited) // 2]:.2f} s, most {waited[-1]:.2f} s"
    )
