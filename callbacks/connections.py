"""Connections that are kept for the next call to the same place.

They are urllib3's, without its pools: what those do for each request (retries, redirects, proxies,
decoding) is ruled out here, and costs more than the request itself.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections import OrderedDict, deque
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from urllib3.connection import HTTPConnection, HTTPSConnection

from callbacks.sockets import dial

#: Connections kept for one place, and in all.
KEPT_CONNECTIONS = 64
KEPT_IN_ALL = 512
#: Seconds after which a kept connection is not used again; common servers close theirs after 5.
LONGEST_IDLE = 4.0
#: Interim answers (1xx) read before the final one.
MOST_INTERIM: Final = 16


class Place(NamedTuple):
    """Where a connection leads. What was dialled for a call that may go without TLS serves no call
    that may not.
    """

    scheme: str
    host: str
    port: int
    require_tls: bool


class _Response(http.client.HTTPResponse):
    """Reads on to the final answer.

    The base takes 102 and 103 for the answer, and the final one, still on its way, would
    be taken for that of the next request over the same connection.
    """

    def begin(self) -> None:
        """Read status and headers of the final answer (RFC 9110 §15.2)."""
        super().begin()
        for _ in range(MOST_INTERIM):
            if not 100 <= self.status < 200:
                return
            if self.status == HTTPStatus.SWITCHING_PROTOCOLS:
                break
            self.headers = self.msg = None  # type: ignore[assignment]
            super().begin()
        raise http.client.HTTPException("no final answer")


class Connection(HTTPConnection):
    """Dials for the ongoing call, and grows old."""

    response_class = _Response
    answered_at = 0.0
    _gathered: list[bytes] | None = None

    def _new_conn(self) -> socket.socket:
        return dial()

    @property
    def is_connected(self) -> bool:
        """Return whether it can be used again."""
        return time.monotonic() - self.answered_at < LONGEST_IDLE and super().is_connected

    def send(self, data: Any) -> None:
        """Send ``data``, or hold it back until the request is whole."""
        if self._gathered is None:
            super().send(data)
        else:
            self._gathered.append(data)

    def send_whole(
        self, method: str, target: str, body: bytes | None, headers: dict[str, str]
    ) -> None:
        """Send a request, headers and body in one piece: one turn of the kernel and one packet.

        The base of urllib3's connections puts it together: what urllib3 adds is for its pools.
        """
        gathered = self._gathered = []
        try:
            http.client.HTTPConnection.request(self, method, target, body, headers)
        finally:
            self._gathered = None
        self.send(b"".join(gathered))

    def answer(self) -> http.client.HTTPResponse:
        """Return the final answer, its body not read yet."""
        return http.client.HTTPConnection.getresponse(self)


class TLSConnection(Connection, HTTPSConnection):
    """The same over TLS."""


class Connections:
    """The kept connections, the latest used first. Safe for use by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Place, deque[Connection]] = OrderedDict()
        self._count = 0

    def take(self, place: Place) -> Connection | None:
        """Return a connection to ``place`` that can be used again, or None."""
        while True:
            with self._lock:
                kept = self._kept.get(place)
                if not kept:
                    return None
                connection = self._out_of(place, kept, newest=True)
            if connection.is_connected:
                return connection
            connection.close()

    def keep(self, place: Place, connection: Connection) -> None:
        """Keep ``connection``, whose answer was read to its end; close those that grew too old."""
        connection.answered_at = now = time.monotonic()
        gone = []
        with self._lock:
            kept = self._kept.setdefault(place, deque())
            kept.append(connection)
            self._kept.move_to_end(place)
            self._count += 1
            while len(kept) > KEPT_CONNECTIONS or now - kept[0].answered_at > LONGEST_IDLE:
                gone.append(self._out_of(place, kept))
            if self._count > KEPT_IN_ALL:
                longest_unused = next(iter(self._kept))
                gone.append(self._out_of(longest_unused, self._kept[longest_unused]))
        for each in gone:
            each.close()

    def clear(self) -> None:
        """Close every kept connection."""
        with self._lock:
            kept, self._kept, self._count = self._kept, OrderedDict(), 0
        for connections in kept.values():
            for connection in connections:
                connection.close()

    def _out_of(self, place: Place, kept: deque[Connection], *, newest: bool = False) -> Connection:
        connection = kept.pop() if newest else kept.popleft()
        self._count -= 1
        if not kept:
            del self._kept[place]
        return connection


def fresh(place: Place, context: ssl.SSLContext) -> Connection:
    """Return a connection to ``place`` that is dialled when its first request is sent."""
    if place.scheme == "https":
        return TLSConnection(place.host, place.port, ssl_context=context)
    return Connection(place.host, place.port)
