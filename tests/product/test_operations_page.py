"""What docs/operations.md says is done as it says: nodes of their own, backup, loss, restore."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import urllib3

from tenants import master_keys
from tests.support import operations_page as page
from tests.support import product, services
from tests.support.operations_page import Node, block
from tests.support.partner import Partner
from tests.support.receiver import Receiver

pytestmark = [pytest.mark.product, pytest.mark.once, pytest.mark.timeout(240)]
_numbers = count(81_200_000_001)
_CHECK = block("check_installation")
_CHECKPOINT = block("audit_checkpoint >")


class Processes:
    """What a test started; everything is ended with it."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, node: Node, *units: str) -> None:
        for unit in units:
            self._running.append(node.start(unit, self._log))
        if "web" in units:
            self._wait_until_served(node)

    def stop(self) -> None:
        """End all in good order, as systemd does."""
        for process in self._running:
            process.send_signal(signal.SIGTERM)
        ended = [process.wait(60) for process in self._running]
        assert ended == [0] * len(ended), self._log.read_text()[-3000:]
        self._running.clear()

    def kill(self) -> None:
        for process in self._running:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
        self._running.clear()

    def _wait_until_served(self, node: Node) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                if urllib3.request("GET", f"{url(node)}/livez", retries=False).status == 200:
                    return
            except urllib3.exceptions.HTTPError:
                assert time.monotonic() < deadline, self._log.read_text()[-3000:]
                time.sleep(0.1)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    started = Processes(tmp_path / "log")
    yield started
    started.kill()


def url(node: Node) -> str:
    return f"http://127.0.0.1:{node.environment['PORT']}"


def provision(node: Node, *arguments: str) -> dict[str, Any]:
    client = f"client-{secrets.token_hex(4)}"
    words = ["provision", "citcall", "--client", client, *arguments, "--json"]
    made: dict[str, Any] = json.loads(
        node.run(f".venv/bin/python manage.py {' '.join(words)}").stdout
    )
    return made


def order(flow: dict[str, Any], node: Node) -> str:
    """Return the code that an order is answered with."""
    # Another each time: two of the same second would be the same request.
    wanted = {"msisdn": f"0{next(_numbers)}", "gateway": 1}
    code: str = Partner(flow, url(node)).call(wanted)["rc"]
    return code


def test_sqlite_is_backed_up_lost_and_restored(tmp_path: Path, processes: Processes) -> None:
    one = {"SEALGATE_WEB_PROCESSES": "1"}
    copy = product.start(tmp_path / "var", processes=(), settings=one)
    node = Node(tmp_path / "node", copy.environment, tmp_path)
    processes.start(node, "web")
    flow = provision(node)
    assert order(flow, node) == "00"

    made = Path(node.run(block("manage.py backup")).stdout.strip())
    node.run(_CHECKPOINT)
    later = provision(node)
    assert order(later, node) == "00"
    newer = _CHECKPOINT.replace("checkpoint.json", "newer.json")
    node.run(newer)
    processes.stop()

    shutil.rmtree(copy.var)
    copy.var.mkdir()
    node.run(block("install -m 600"))
    environment = dict(node.environment)
    for name in ("MASTER_KEYS", "SECRET_KEY"):
        kept = tmp_path / "elsewhere" / f"{made.stem}.{name.lower().replace('_', '-')}"
        del environment[f"SEALGATE_{name}"]
        environment[f"SEALGATE_{name}_FILE"] = str(kept)
    node.configure(environment)
    assert "sealed values open" in node.run(_CHECK).stdout
    set_back = node.run(_CHECK.replace("checkpoint.json", "newer.json"), check=False)
    assert set_back.returncode == 1
    assert "was there when the checkpoint was made" in set_back.stdout

    node.run(block("manage.py migrate"))
    processes.start(node, "web")
    assert order(flow, node) == "00"
    assert order(later, node) != "00"


class Server:
    """The databases and roles of the page under names of their own, made by its statements."""

    def __init__(self) -> None:
        address = urlsplit(services.DATABASE)
        self._address, own = address, secrets.token_hex(6)
        self._host = address.netloc.rpartition("@")[2]
        self._password = address.password or secrets.token_hex(8)
        self.database, self.owner, self.user = (
            f"sealgate_{what}_{own}" for what in ("operations", "owner", "user")
        )

    def url_of(self, role: str) -> str:
        netloc = f"{role}:{self._password}@{self._host}"
        return urlunsplit(self._address._replace(netloc=netloc, path=f"/{self.database}"))

    def run(self, statements: str) -> None:
        """Run statements of the page in psql, as whoever may make databases."""
        names = {"sealgate_owner": self.owner, "sealgate": self.user}
        text = re.sub(r"DATABASE sealgate\b", f"DATABASE {self.database}", statements)
        text = re.sub(r"\\connect sealgate\b", rf"\\connect {self.database}", text)
        text = re.sub(r"\bsealgate(_owner)?\b", lambda found: names[found[0]], text)
        subprocess.run(
            ["psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", services.DATABASE],
            input=text.replace("'…'", f"'{self._password}'"),
            env={**os.environ, "PGPASSWORD": self._password},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )

    def ask(self, statement: str) -> None:
        with psycopg.connect(services.DATABASE.replace("postgres:", "postgresql:", 1)) as asked:
            asked.autocommit = True
            asked.execute(statement.encode())


@contextmanager
def postgresql() -> Iterator[Server]:
    for program in ("psql", "pg_dump", "pg_restore"):
        services.require_program(program)
    server = Server()
    try:
        server.ask("SELECT 1")
    except psycopg.OperationalError:
        services.missing("PostgreSQL")
    try:
        server.run(block("CREATE ROLE"))
        yield server
    finally:
        server.ask(f"DROP DATABASE IF EXISTS {server.database} WITH (FORCE)")
        for role in (server.user, server.owner):
            server.ask(f"DROP ROLE IF EXISTS {role}")


def test_nodes_on_postgresql_and_what_they_are_restored_from(
    tmp_path: Path, processes: Processes
) -> None:
    with (
        postgresql() as server,
        services.fresh_redis(tmp_path / "redis") as cache,
        Receiver() as receiver,
    ):
        keys = tmp_path / "master-keys"
        keys.write_text(master_keys.generate())
        shared = {
            "DATABASE_URL": server.url_of(server.user),
            "REDIS_URL": cache,
            "SEALGATE_MASTER_KEYS_FILE": str(keys),
            "SEALGATE_SECRET_KEY": secrets.token_urlsafe(48),
            "SEALGATE_OUTBOUND_ALLOW": "127.0.0.0/8",
            "SEALGATE_SANDBOX_SPEED": "50",
            "SEALGATE_WEB_PROCESSES": "1",
            "SEALGATE_WEB_THREADS": "2",
        }
        first, second = (_node(tmp_path, name, shared) for name in ("first", "second"))
        owner = {
            "DATABASE_URL": server.url_of(server.owner),
            "OWNER_URL": server.url_of(server.owner),
        }
        for node in (first, second):
            node.run(block("manage.py migrate"), settings=owner)

        processes.start(first, "web", "worker")
        processes.start(second, "web", "beat")
        flow = provision(first, "--callback-url", receiver.url)
        assert [order(flow, node) for node in (first, second)] == ["00", "00"]
        receiver.wait_for(2, seconds=60)
        for node in (first, second):
            _wait_until_ready(node)
        _the_database_hangs_up(server, flow, first)

        first.run(block("pg_dump"), settings=owner)
        first.run(_CHECKPOINT)
        processes.stop()
        server.ask(f"DROP DATABASE {server.database}")
        server.ask(f"CREATE DATABASE {server.database} OWNER {server.owner}")
        first.run(block("pg_restore"), settings=owner)
        assert "sealed values open" in first.run(_CHECK).stdout
        with (
            psycopg.connect(shared["DATABASE_URL"].replace("postgres:", "postgresql:", 1)) as user,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            user.execute("ALTER TABLE tenants_auditentry DISABLE TRIGGER ALL")
        processes.start(second, "web")
        assert order(flow, second) == "00"
        processes.stop()


def test_the_settings_of_the_page_pass_the_deployment_check(tmp_path: Path) -> None:
    text = page.PAGE.read_text()
    (example,) = re.findall(r"```ini\n(.*?)```", text, re.DOTALL)
    settings = dict(line.split("=", 1) for line in example.strip().splitlines())
    for name in ("MASTER_KEYS", "SECRET_KEY"):
        del settings[f"SEALGATE_{name}_FILE"]
    (tmp_path / "var" / "static").mkdir(parents=True)
    own = {
        "SEALGATE_VAR": str(tmp_path / "var"),
        "SEALGATE_MASTER_KEYS": master_keys.generate(),
        "SEALGATE_SECRET_KEY": secrets.token_urlsafe(64),
    }
    node = Node(tmp_path / "node", {**settings, **own}, tmp_path)
    assert "no issues" in node.run(block("check --deploy")).stdout


def _node(directory: Path, name: str, shared: Mapping[str, str]) -> Node:
    own = {"SEALGATE_VAR": str(directory / name / "var"), "PORT": str(product.free_port())}
    return Node(directory / name, {**shared, **own}, directory)


def _wait_until_ready(node: Node) -> None:
    """Return when nothing is missing: a beat that rings, and a worker that hears it, too."""
    deadline = time.monotonic() + 40
    while True:
        reply = urllib3.request("GET", f"{url(node)}/readyz", retries=False)
        checks = reply.json()["checks"]
        if reply.status == 200 and set(checks.values()) == {"ok"}:
            return
        assert time.monotonic() < deadline, checks
        time.sleep(0.5)


def _the_database_hangs_up(server: Server, flow: dict[str, Any], node: Node) -> None:
    """Break every connection: at most one request for each thread fails, and none is restarted."""
    server.ask(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        f"WHERE datname = '{server.database}'"
    )
    codes = [order(flow, node) for _ in range(8)]
    assert codes.count("00") >= len(codes) - int(node.environment["SEALGATE_WEB_THREADS"]), codes
    assert codes[-1] == "00"
