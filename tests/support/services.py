"""Services that some tests need: present, or skipped loudly, or (strict) a failure."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import redis
from psycopg import sql

from tests.support.product import free_port

DATABASE = os.environ.get(
    "SEALGATE_TEST_DATABASE_URL", "postgres://postgres@127.0.0.1:5432/postgres"
)
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
    name = f"sealgate_product_{secrets.token_hex(6)}"
    address = urlsplit(DATABASE)
    try:
        server = psycopg.connect(
            DATABASE.replace("postgres://", "postgresql://", 1), autocommit=True, connect_timeout=3
        )
    except psycopg.OperationalError:
        missing("PostgreSQL")
        raise
    with server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield urlunsplit(address._replace(path=f"/{name}"))
        finally:
            server.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )


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
