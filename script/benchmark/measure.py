"""What is measured, in which order."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from crypto_schemes.ciphers import rsa
from script.benchmark import primitives, service, traffic
from script.benchmark.load import Latency, LoadError, Run, cold_and_warm, latency, throughput
from script.benchmark.machine import Cores
from script.benchmark.server import Installation, Web, bare
from script.benchmark.services import Services
from script.benchmark.traffic import Traffic, WhatsAppPing, WhatsAppStep

#: Clients the paths are measured with, and how many there are at last.
FEW, MANY = 10, 10_000
#: Parts of the highest rate at which latency is measured.
_PARTS: Final = (0.25, 0.5, 0.75)
#: Answers of each path that are opened before and after it is measured.
_SAMPLE: Final = 10
#: Flows whose first requests are timed.
_COLD: Final = 200
#: Longest time that rows of the exchange log may be on their way, in seconds.
_LOG_DELAY: Final = 2.5

Say = Callable[[str], None]


@dataclass(slots=True)
class Grown:
    """The same traffic with so many clients stored and calling in turn, and the process's memory.

    ``cold_ms`` is the 95th percentile of first requests of flows the process had never seen,
    ``warm_ms`` the median of later ones, one at a time.
    """

    clients: int
    calling: int
    run: Run
    megabytes: float
    cold_ms: float
    warm_ms: float


@dataclass(slots=True)
class OnDatabase:
    """What was measured on one database. ``faults`` says by path why it could not be."""

    name: str
    runs: dict[str, Run] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)
    latencies: list[Latency] = field(default_factory=list)
    one_process: Run | None = None
    two_processes: Run | None = None
    grown: list[Grown] = field(default_factory=list)


@dataclass(slots=True)
class Plan:
    """How long, and what."""

    seconds: float
    only: frozenset[str]
    clients: int = MANY

    def wants(self, name: str) -> bool:
        """Return whether a path, or one of the other measurements, is asked for."""
        return not self.only or any(name.startswith(start) for start in self.only)


@dataclass(frozen=True, slots=True)
class SharedKey:
    """The RSA-2048 key of all WhatsApp flows and of the bare view."""

    file: Path
    public: RSAPublicKey

    @classmethod
    def make(cls, folder: Path) -> SharedKey:
        """Return a new one, its private half in a file in ``folder``."""
        key = rsa.generate(2048)
        file = folder / "key.der"
        file.write_bytes(rsa.private_to_der(key))
        return cls(file, key.public_key())


def baseline(plan: Plan, cores: Cores, say: Say) -> tuple[dict[str, float], dict[str, Run]]:
    """Return the rates of the cryptography alone, and of the bare views."""
    say("The cryptography alone")
    alone = primitives.rates(max(1.0, plan.seconds / 4), cores)
    runs = {}
    with tempfile.TemporaryDirectory(prefix="sealgate-bench-") as folder:
        var = Path(folder)
        key = SharedKey.make(var)
        with bare(var, cores, key.file, "bench-app-secret") as web:
            say("A bare DRF view that parses JSON")
            runs["json"] = throughput(web, traffic.bare_json(), plan.seconds, var)
            say("A bare DRF view that does the cryptography of WhatsApp Flows")
            stream = traffic.bare_flow(key.public, "bench-app-secret")
            runs["flow"] = throughput(web, stream, plan.seconds, var)
    return alone, runs


def on_database(services: Services, var: Path, plan: Plan, cores: Cores, say: Say) -> OnDatabase:
    """Return what an installation on ``services`` does."""
    with service.running() as url:
        return _on_database(Installation(var, services, cores, url), plan, say)


def _on_database(installation: Installation, plan: Plan, say: Say) -> OnDatabase:
    services, var = installation.services, installation.var
    measured = OnDatabase(services.name)
    say(f"{services.name}: tables and flows")
    installation.prepare()
    key = SharedKey.make(var)
    few = fill(installation, key, FEW)
    paths: list[Traffic] = [WhatsAppStep(few, key.public), WhatsAppPing(few, key.public)]
    paths += [kind(installation) for kind in traffic.SIMPLE if plan.wants(kind.name)]
    with installation.web() as web:
        for path in paths:
            if plan.wants(path.name):
                say(f"{services.name}: {path.title}")
                with _noting(measured, path.name):
                    measured.runs[path.name] = _measure(installation, web, path, plan)
        if plan.wants("latency") and "whatsapp" in measured.runs:
            say(f"{services.name}: latency by rate")
            with _noting(measured, "latency"):
                peak = measured.runs["whatsapp"].rate
                measured.latencies = [
                    latency(web, list(islice(paths[0].stream(), int(rate * plan.seconds))), rate)
                    for rate in (peak * part for part in _PARTS)
                ]
    if plan.wants("processes"):
        say(f"{services.name}: one process and two, on both cores")
        with _noting(measured, "processes"):
            measured.one_process, measured.two_processes = (
                _with_processes(installation, paths[0], plan, count) for count in (1, 2)
            )
    if plan.wants("clients"):
        with _noting(measured, "clients"):
            measured.grown.extend(_grow(installation, key, few, plan, say))
    return measured


def _measure(installation: Installation, web: Web, path: Traffic, plan: Plan) -> Run:
    """Return how ``path`` does; every request must stand in the exchange log as served."""
    services, var = installation.services, installation.var
    path.begin(web.url)
    path.check(web.url, _SAMPLE)
    services.pin(installation.cores)
    before = services.outcomes(var, path.scheme)
    run = throughput(web, path.stream(), plan.seconds, var)
    path.check(web.url, _SAMPLE)
    time.sleep(_LOG_DELAY)
    after = services.outcomes(var, path.scheme)
    for outcome in ("refused", "failed"):
        if grew := after.get(outcome, 0) - before.get(outcome, 0):
            raise LoadError(f"{grew} requests were {outcome}, says the exchange log.")
    logged = after.get("ok", 0) - before.get("ok", 0)
    if logged < run.requests:
        raise LoadError(f"{run.requests} requests, but only {logged} rows in the exchange log.")
    return run


def _with_processes(installation: Installation, path: Traffic, plan: Plan, count: int) -> Run:
    with installation.web(processes=count, pinned=False) as web:
        path.check(web.url, _SAMPLE)
        return throughput(web, path.stream(), plan.seconds, installation.var)


def _grow(
    installation: Installation, key: SharedKey, few: Mapping[str, str], plan: Plan, say: Say
) -> Iterator[Grown]:
    """Yield what fresh processes do: with few clients, with many of which few call, with many."""
    say(f"{installation.services.name}: {len(few)} clients")
    yield _with_clients(installation, key, few, len(few), plan)
    say(f"{installation.services.name}: making {plan.clients} clients with ten keys each")
    many = fill(installation, key, plan.clients)
    stored = len(few) + len(many)
    say(f"{installation.services.name}: {stored} clients, of which {len(few)} call")
    yield _with_clients(installation, key, few, stored, plan)
    say(f"{installation.services.name}: {stored} clients, of which {len(many)} call in turn")
    yield _with_clients(installation, key, many, stored, plan)


def _with_clients(
    installation: Installation, key: SharedKey, flows: Mapping[str, str], stored: int, plan: Plan
) -> Grown:
    path, count = WhatsAppStep(flows, key.public), min(len(flows), _COLD)
    with installation.web() as web:
        first = list(islice(path.stream(), len(flows)))[:count]
        again = list(islice(path.stream(), len(flows)))[:count]
        cold, warm = cold_and_warm(web, first, again)
        installation.services.pin(installation.cores)
        meet_all(web, path, len(flows), installation.var)
        run = throughput(web, path.stream(), plan.seconds, installation.var)
        return Grown(stored, len(flows), run, web.megabytes(), cold, warm)


def meet_all(web: Web, path: Traffic, count: int, var: Path) -> None:
    """Have the process see every flow at least once."""
    throughput(web, path.stream(), max(2.0, count / 400), var)


def fill(installation: Installation, key: SharedKey, clients: int) -> dict[str, str]:
    """Make so many clients with a WhatsApp flow each; return the app secret by address."""
    said = installation.run("-m", "script.benchmark.fill", str(clients), str(key.file))
    app_secrets: dict[str, str] = json.loads(said)
    return app_secrets


@contextmanager
def _noting(measured: OnDatabase, name: str) -> Iterator[None]:
    """Note why something could not be measured, and go on with the rest."""
    try:
        yield
    except (LoadError, traffic.WrongAnswerError) as error:
        measured.faults[name] = str(error)


def names() -> Sequence[str]:
    """Return what can be asked for: the paths, and the other measurements."""
    return [*(kind.name for kind in traffic.ALL), "latency", "processes", "clients"]
