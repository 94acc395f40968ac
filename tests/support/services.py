"""Services that some tests need: present, or skipped loudly, or (strict) a failure."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import redis
from psycopg import sql

from tests.support.made_once import folder, made_once
from tests.support.product import configured, free_port

DATABASE = os.environ.get(
    "SEALGATE_TEST_DATABASE_URL", "postgres://postgres@127.0.0.1:5432/postgres"
)
_TEMPLATE = "postgresql"
_DROP = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
REDIS = os.environ.get("SEALGATE_TEST_REDIS_URL", "redis://127.0.0.1:6379/9")


def missing(what: str) -> None:
    """Skip the test because ``what`` is not there; fail it where SEALGATE_STRICT=1."""
    message = f"{what} is not there"
    if os.environ.get("SEALGATE_STRICT") == "1":
        pytest.fail(f"{message}, and SEALGATE_STRICT=1 wants this test", pytrace=False)
    pytest.skip(message)


def require_program(name: str) -> str:
    """Return the path of the program ``name``."""
    path = shutil.which(name)
    if path is None:
        missing(f"the program {name}")
    assert path is not None
    return path


@contextmanager
def fresh_postgresql() -> Iterator[str]:
    """Make a database of its own on the PostgreSQL server; yields its URL; drops it after."""
    with _server() as server, _database(server, f"sealgate_product_{secrets.token_hex(6)}") as url:
        yield url


@contextmanager
def migrated_postgresql() -> Iterator[str]:
    """Make one with the tables of the product: a copy of one that is made once."""
    with _server() as server:
        template = (made_once(_TEMPLATE, _make_template) / "name").read_text()
        name = f"sealgate_product_{secrets.token_hex(6)}"
        with _database(server, name, template=template) as url:
            yield url


def drop_template() -> None:
    """Drop what copies were made of, at the very end, if there is any."""
    named = folder() / _TEMPLATE / "name"
    if named.is_file():
        with _server() as server:
            server.execute(_DROP.format(sql.Identifier(named.read_text())))


def _server() -> psycopg.Connection:
    try:
        return psycopg.connect(
            DATABASE.replace("postgres://", "postgresql://", 1), autocommit=True, connect_timeout=3
        )
    except psycopg.OperationalError:
        missing("PostgreSQL")
        raise


@contextmanager
def _database(
    server: psycopg.Connection, name: str, *, template: str = "template1"
) -> Iterator[str]:
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    server.execute(create.format(sql.Identifier(name), sql.Identifier(template)))
    try:
        yield _url_of(name)
    finally:
        server.execute(_DROP.format(sql.Identifier(name)))


def _url_of(name: str) -> str:
    return urlunsplit(urlsplit(DATABASE)._replace(path=f"/{name}"))


def _make_template(made: Path) -> None:
    name = f"sealgate_template_{secrets.token_hex(6)}"
    with _server() as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    # What makes the tables does not wait for the disk a hundred times; what runs on them does.
    settings = {"DATABASE_URL": _url_of(name), "PGOPTIONS": "-c synchronous_commit=off"}
    configured(made, settings).manage("migrate", "--verbosity", "0")
    (made / "name").write_text(name)


class OwnPostgreSQL:
    """A PostgreSQL server of the test's own, to be stopped and killed: its processes and data."""

    def __init__(self, folder: Path, port: int, account: str | None) -> None:
        self.url = f"postgres://postgres@127.0.0.1:{port}/postgres"
        self._folder, self._port, self._account = folder, port, account
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it on its data, and return when it answers."""
        self._process = subprocess.Popen(
            [
                *(require_program("postgres"), "-D", str(self._folder), "-p", str(self._port)),
                *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
                *("-c", "fsync=off", "-c", "shared_buffers=16MB"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            user=self._account,
            cwd="/",
            start_new_session=True,
        )
        deadline = time.monotonic() + 30
        while True:
            with suppress(psycopg.OperationalError):
                psycopg.connect(self.url.replace("postgres://", "postgresql://", 1)).close()
                return
            assert time.monotonic() < deadline, "PostgreSQL did not start"
            time.sleep(0.02)

    def restart(self) -> None:
        """End every session at once, and start anew."""
        self.end(signal.SIGINT)
        self.start()

    def end(self, with_signal: int = signal.SIGQUIT) -> None:
        """End it, at once."""
        if self._process is not None:
            self.signal(signal.SIGCONT)
            self._process.send_signal(with_signal)
            self._process.wait(timeout=30)
            self._process = None

    def signal(self, number: int) -> None:
        """Send each of its processes a signal; all of them together have no group."""
        assert self._process is not None
        main = self._process.pid
        children = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        for process in (main, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(process, number)


@contextmanager
def own_postgresql() -> Iterator[OwnPostgreSQL]:
    """Start a PostgreSQL server of its own; ends it and removes its data after."""
    make = require_program("initdb")
    # It does not run as root, and then reaches nothing that is root's alone.
    account = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="sealgate-postgresql-") as folder:
        if account is not None:
            shutil.chown(folder, account)
        data = Path(folder) / "data"
        subprocess.run(
            [make, "--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", data],
            check=True,
            capture_output=True,
            user=account,
            cwd="/",
        )
        server = OwnPostgreSQL(data, free_port(), account)
        try:
            server.start()
            yield server
        finally:
            server.end()


def require_redis() -> str:
    """Return the URL of a Redis that answers."""
    try:
        redis.Redis.from_url(REDIS, socket_connect_timeout=3).ping()
    except redis.RedisError:
        missing("Redis")
    return REDIS


@contextmanager
def fresh_redis(folder: Path) -> Iterator[str]:
    """Start a Redis of its own in ``folder``; yields its URL; ends it after.

    Copies of the product that ran side by side on one would take each other's messages. Where the
    program is not there it is the common one.
    """
    program = shutil.which("redis-server")
    if program is None:
        yield require_redis()
        return
    folder.mkdir(exist_ok=True)
    port = free_port()
    process = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    url = f"redis://127.0.0.1:{port}/0"
    try:
        with redis.Redis.from_url(url) as client:
            deadline = time.monotonic() + 20
            while True:
                with suppress(redis.RedisError):
                    if client.ping():
                        break
                assert time.monotonic() < deadline, "Redis did not start"
                time.sleep(0.02)
        yield url
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
