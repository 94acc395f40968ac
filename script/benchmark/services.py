"""The databases of a run: of its own, made when it begins and gone when it ends."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis
from psycopg import sql

from script.benchmark.machine import Cores, pin

#: Server on which a database is made.
POSTGRESQL = os.environ.get(
    "SEALGATE_BENCH_DATABASE_URL", "postgres://postgres@127.0.0.1:5432/postgres"
)
#: A Redis to use; empty: one is started.
REDIS = os.environ.get("SEALGATE_BENCH_REDIS_URL", "")


class MissingError(Exception):
    """A service is not there. The message says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the server is told to use. ``settings`` are environment variables."""

    name: str
    settings: Mapping[str, str] = field(repr=False)
    database: str = field(default="", repr=False)

    def pin(self, cores: Cores) -> None:
        """Keep the database's processes off the server's core, where this machine may do that."""
        if not self.database:
            return
        with _connected(self.database) as connection:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            ).fetchall()
        pin([pid for (pid,) in rows], cores.load)

    def outcomes(self, var: Path, scheme: str) -> dict[str, int]:
        """Return how many rows of the exchange log say ok, refused and failed."""
        statement = (
            "SELECT outcome, count(*) FROM flows_endpoint_exchangerow "
            f"WHERE scheme = '{scheme}' GROUP BY outcome"
        )
        if self.database:
            with _connected(self.database) as connection:
                return dict(connection.execute(sql.SQL(statement)).fetchall())
        with sqlite3.connect(var / "sealgate.sqlite3", timeout=30) as embedded:
            return dict(embedded.execute(statement).fetchall())


@contextmanager
def embedded(var: Path) -> Iterator[Services]:
    """Give SQLite and files in ``var``."""
    yield Services(
        "SQLite",
        {
            "DATABASE_URL": f"sqlite:///{var / 'sealgate.sqlite3'}",
            "REDIS_URL": "",
            "CELERY_BROKER_URL": "filesystem://localhost/",
        },
    )


@contextmanager
def production(var: Path, cores: Cores) -> Iterator[Services]:
    """Give a new database on the PostgreSQL server, and a Redis. Raises MissingError."""
    name = f"sealgate_bench_{secrets.token_hex(4)}"
    address = urlunsplit(urlsplit(POSTGRESQL)._replace(path=f"/{name}"))
    with _redis(var, cores) as cache:
        try:
            server = _connected(POSTGRESQL)
        except psycopg.OperationalError as error:
            raise MissingError(
                f"PostgreSQL does not answer ({type(error).__name__}). Start it, or name one: "
                "SEALGATE_BENCH_DATABASE_URL."
            ) from None
        with server:
            server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            try:
                settings = {
                    "DATABASE_URL": address,
                    "REDIS_URL": cache,
                    "CELERY_BROKER_URL": cache,
                }
                yield Services("PostgreSQL + Redis", settings, address)
            finally:
                server.execute(
                    sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
                )


def free_port() -> int:
    """Return a port nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _redis(var: Path, cores: Cores) -> Iterator[str]:
    if REDIS:
        yield REDIS
        return
    program = shutil.which("redis-server")
    if program is None:
        raise MissingError(
            "There is no redis-server. Install it (Debian: apt install redis-server), or name a "
            "Redis to use: SEALGATE_BENCH_REDIS_URL."
        )
    port = free_port()
    process = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(var)],
        stdout=subprocess.DEVNULL,
    )
    try:
        pin([process.pid], cores.load)
        url = f"redis://127.0.0.1:{port}/0"
        _wait_for_redis(url)
        yield url
    finally:
        process.terminate()
        process.wait(20)


def _wait_for_redis(url: str) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            redis.Redis.from_url(url).ping()
        except redis.RedisError:
            if time.monotonic() > deadline:
                raise MissingError("The Redis of the benchmark did not start.") from None
            time.sleep(0.05)
        else:
            return


def _connected(url: str) -> psycopg.Connection[Any]:
    return psycopg.connect(
        url.replace("postgres://", "postgresql://", 1), autocommit=True, connect_timeout=5
    )
