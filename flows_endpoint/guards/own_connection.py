"""Ask Redis over a connection of the thread's own.

The client's pool locks, packs options and counts for an observer with each command, which costs
twice what the command itself does. A thread asks one thing at a time, so it keeps one connection,
looked after by the same rules as those of a pool.
"""

from __future__ import annotations

import os
import threading
from typing import Any

import redis
from django.conf import settings

_own = threading.local()


def ask(*command: str | int) -> Any:
    """Send ``command`` and return the reply as it came (text is bytes).

    A connection that broke while nobody used it is replaced; a command that failed is not sent
    twice. Raises redis.RedisError.
    """
    connection = _connection()
    # Either closes the connection when it fails.
    connection.send_command(*command)
    return connection.read_response()


def _connection() -> Any:
    """Return this thread's connection, with nothing left to read."""
    connection = getattr(_own, "connection", None)
    # A child process must not talk over its parent's.
    if connection is None or connection.pid != os.getpid():
        connection = _own.connection = _made()
    connection.connect()
    try:
        is_usable = not connection.can_read()
    except (redis.RedisError, OSError):
        is_usable = False
    if not is_usable:
        connection.disconnect()
        connection.connect()
    return connection


def _made() -> Any:
    """Return a new connection by the settings, not connected yet."""
    return redis.ConnectionPool.from_url(
        settings.REDIS_URL, socket_timeout=1.0, socket_connect_timeout=1.0, health_check_interval=15
    ).make_connection()
