"""The replay guard's connection to Redis: one a thread, replaced when it broke."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import redis

from flows_endpoint.guards import own_connection, replay
from flows_endpoint.guards.own_connection import ask
from tests.support import services
from tests.support.at_once import at_once


@pytest.fixture
def server(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[redis.Redis]:
    """Yield a client beside the guard's own connection, which is new."""
    settings.REDIS_URL = settings.REDIS_URL or services.require_redis()
    monkeypatch.setattr(own_connection, "_own", threading.local())
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        yield client


def client_id() -> int:
    return int(ask("CLIENT", "ID"))


def test_a_thread_keeps_its_connection(server: redis.Redis) -> None:
    assert client_id() == client_id()


def test_threads_share_none(server: redis.Redis) -> None:
    seen: list[int] = []
    assert not at_once(*[lambda: seen.append(client_id())] * 4)
    assert len(set(seen)) == 4


def test_a_connection_that_the_server_closed_is_replaced(server: redis.Redis) -> None:
    before = client_id()
    server.client_kill_filter(_id=str(before))
    assert ask("PING") == b"PONG"
    assert client_id() != before


def test_a_reply_nobody_read_is_not_taken_for_another(server: redis.Redis) -> None:
    before = client_id()
    own_connection._own.connection.send_command("ECHO", "left")
    server.echo("after it")  # by now the first has been answered
    assert ask("ECHO", "mine") == b"mine"
    assert client_id() != before


def test_an_error_of_the_server_is_raised_and_the_connection_kept(server: redis.Redis) -> None:
    before = client_id()
    with pytest.raises(redis.ResponseError):
        ask("NO-SUCH-COMMAND")
    assert client_id() == before


def test_a_child_has_a_connection_of_its_own(server: redis.Redis) -> None:
    before = client_id()
    told: Any = multiprocessing.get_context("fork").SimpleQueue()
    child = multiprocessing.get_context("fork").Process(target=lambda: told.put(client_id()))
    child.start()
    child.join(20)
    assert told.get() != before
    assert client_id() == before


def test_without_a_server_it_says_so(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(own_connection, "_own", threading.local())
    with pytest.raises(redis.ConnectionError):
        ask("PING")


def test_a_claim_is_made_once_and_given_back(server: redis.Redis) -> None:
    thing = uuid4().bytes
    first = replay.claim("flow", "test", thing, 5.0, durable=False)
    assert first is not None
    assert first.in_redis
    assert 4_000 < server.pttl(first.name) <= 5_000
    assert replay.claim("flow", "test", thing, 5.0, durable=False) is None
    first.release()
    second = replay.claim("flow", "test", thing, 5.0, durable=False)
    assert second is not None
    first.release()  # not its own any more
    assert server.get(second.name) == second.owner.encode()
    second.release()
