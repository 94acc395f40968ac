"""The one HTTP client for everything that goes out: callbacks and upstream calls.

One set of pooled connections a process, shared by its threads. Per call: the address actually
dialled is judged (callbacks/ssrf.py), the host name is kept for TLS and the Host header, redirects
are never followed, proxies of the environment are ignored, nothing is decompressed, the
answer is bounded in size, and the whole call, from look-up to last byte, in time.

A request is sent at most once. Only a kept connection on which the kernel took not a single byte
any more (the peer had closed it) is replaced by a fresh one.

TLS is verified against the system's certificates; OpenSSL's ``SSL_CERT_FILE`` and
``SSL_CERT_DIR`` name others.
"""

from __future__ import annotations

import http.client
import logging
import os
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, ReadTimeoutError, SSLError
from urllib3.response import BaseHTTPResponse

from callbacks import resolver, ssrf
from callbacks.errors import Kind, TransportError
from callbacks.resolver import Resolve
from callbacks.sockets import DeadlineTLSSocket, OngoingCall, dial, ongoing
from callbacks.timings import Stopwatch, Timings

# Its debug lines and warnings quote URLs, and those may hold secrets in their query.
logging.getLogger("urllib3").setLevel(logging.CRITICAL)

#: Hosts whose connections are kept, and connections kept for each.
KEPT_HOSTS = 64
KEPT_CONNECTIONS = 8
#: Seconds after which a kept connection is not used again; common servers close theirs after 5.
LONGEST_IDLE = 4.0
#: Interim answers (1xx) read before the final one.
MOST_INTERIM = 16


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Seconds for look-up, connection and TLS together, for one read or write, and in total."""

    connect: float
    read: float
    total: float


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back. Header names are lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    timings: Timings = field(default=Timings(), repr=False)

    @property
    def is_success(self) -> bool:
        """Return whether the status is 2xx."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)


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


class _Connection(HTTPConnection):
    """Dials for the ongoing call, and grows old."""

    response_class = _Response
    answered_at = 0.0

    def _new_conn(self) -> socket.socket:
        return dial()

    @property
    def is_connected(self) -> bool:
        """Return whether it can be used again; urllib3 asks before it reuses one."""
        return time.monotonic() - self.answered_at < LONGEST_IDLE and super().is_connected


class _TLSConnection(HTTPSConnection):
    """Dials for the ongoing call, and grows old."""

    response_class = _Response
    answered_at = 0.0

    def _new_conn(self) -> socket.socket:
        return dial()

    @property
    def is_connected(self) -> bool:
        """Return whether it can be used again; urllib3 asks before it reuses one."""
        return time.monotonic() - self.answered_at < LONGEST_IDLE and super().is_connected


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


class Transport:
    """A set of pooled connections. Safe for use by many threads.

    ``resolve`` and ``tls`` replace the operating system's resolver and certificates.
    """

    def __init__(
        self, *, resolve: Resolve = resolver.resolve, tls: ssl.SSLContext | None = None
    ) -> None:
        self._resolve = resolve
        self._tls = tls
        self._lock = threading.Lock()
        # What was dialled for a call that may go without TLS serves no call that may not.
        self._managers: dict[bool, urllib3.PoolManager] = {}

    def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        limits: TimeLimits,
        max_answer: int,
        require_tls: bool = True,
    ) -> HttpAnswer:
        """POST ``body`` and return the answer, whatever its status.

        ``max_answer`` is the largest answer taken, in bytes. Plain HTTP goes to allow-listed
        networks only, unless ``require_tls`` is off. Raises TransportError, which says where the
        time went.
        """
        request = _Request("POST", headers, body)
        return self._call(url, request, limits, max_answer, require_tls)

    def get(
        self, url: str, headers: Mapping[str, str], *, limits: TimeLimits, max_answer: int
    ) -> HttpAnswer:
        """GET ``url`` and return the answer, as :meth:`post` does."""
        return self._call(url, _Request("GET", headers), limits, max_answer, require_tls=True)

    def _call(
        self,
        url: str,
        request: _Request,
        limits: TimeLimits,
        max_answer: int,
        require_tls: bool,  # noqa: FBT001
    ) -> HttpAnswer:
        parts = ssrf.parsed(url)
        started = time.monotonic()
        call = OngoingCall(
            url=parts,
            policy=ssrf.policy(),
            resolve=self._resolve,
            connect_by=started + min(limits.connect, limits.total),
            done_by=started + limits.total,
            read_seconds=limits.read,
            watch=Stopwatch(),
            require_tls=require_tls,
        )
        pools = self._pools(require_tls)
        pool = pools.connection_from_host(parts.host, parts.port, parts.scheme)
        token = ongoing.set(call)
        try:
            # Each round without a byte sent uses up one kept connection, so the last one dials.
            for _ in range(KEPT_CONNECTIONS):
                try:
                    return _exchange(pool, call, request, max_answer)
                except TransportError as error:
                    if call.dialled or call.sent or error.kind is not Kind.PROTOCOL:
                        raise
            return _exchange(pool, call, request, max_answer)
        except TransportError as error:
            error.timings = call.watch.stop()
            raise
        finally:
            ongoing.reset(token)

    def forget_connections(self) -> None:
        """Drop every kept connection."""
        with self._lock:
            managers, self._managers = self._managers, {}
        for manager in managers.values():
            manager.clear()

    def after_fork(self) -> None:
        """Leave the parent's connections to the parent."""
        self._lock = threading.Lock()
        self._managers = {}

    def _pools(self, require_tls: bool) -> urllib3.PoolManager:  # noqa: FBT001
        with self._lock:
            if require_tls not in self._managers:
                context = self._tls or ssl.create_default_context()
                context.sslsocket_class = DeadlineTLSSocket
                manager = urllib3.PoolManager(
                    num_pools=KEPT_HOSTS,
                    maxsize=KEPT_CONNECTIONS,
                    ssl_context=context,
                    timeout=None,  # the sockets keep the time
                )
                manager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}
                self._managers[require_tls] = manager
            return self._managers[require_tls]


#: The connections of this process.
shared = Transport()
os.register_at_fork(after_in_child=shared.after_fork)


def _exchange(
    pool: HTTPConnectionPool,
    call: OngoingCall,
    request: _Request,
    max_answer: int,
) -> HttpAnswer:
    """Send one request over a kept or fresh connection and read the answer to its end."""
    response: BaseHTTPResponse | None = None
    try:
        response = pool.urlopen(
            request.method,
            call.url.target,
            body=request.body,
            headers={"Accept-Encoding": "identity", **request.headers},
            retries=False,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
        )
        connection = response.connection
        if isinstance(connection, _Connection | _TLSConnection):
            connection.answered_at = time.monotonic()
        answer = _read(response, max_answer)
    except (HTTPError, http.client.HTTPException, OSError, ValueError) as error:
        raise _told(error, call, response.status if response else None) from None
    finally:
        # A connection with an unread rest is of no use to anybody; a read-out one is back already.
        if response is not None:
            response.close()
    return HttpAnswer(
        status=response.status,
        headers={name.lower(): value for name, value in response.headers.items()},
        body=answer,
        timings=call.watch.stop(),
    )


def _read(response: BaseHTTPResponse, limit: int) -> bytes:
    too_large = TransportError(
        Kind.TOO_LARGE, f"The answer is larger than {limit} bytes.", status=response.status
    )
    if (response.length_remaining or 0) > limit:
        raise too_large
    body = bytearray()
    # A read that comes short is not the end: only an empty one is, after the length was checked.
    while piece := response.read(limit + 1 - len(body), decode_content=False):
        body += piece
        if len(body) > limit:
            raise too_large
    return bytes(body)


def _told(error: Exception, call: OngoingCall, status: int | None) -> TransportError:
    """Return ``error`` in our words; its own may quote the URL."""
    wrapped = error.args[-1] if error.args else None  # urllib3 wraps what happens while sending
    if isinstance(error, ReadTimeoutError) or isinstance(wrapped, TimeoutError):
        return TransportError(Kind.TIMEOUT, "No answer within the time.", status=status)
    if isinstance(error, ValueError) and not isinstance(error, HTTPError):
        return TransportError(Kind.BAD_URL, "A header cannot be sent.", permanent=True)
    if call.url.scheme == "https" and call.dialled and not call.sending:
        reason = getattr(error.args[0] if error.args else None, "reason", None)
        detail = reason if isinstance(error, SSLError) and isinstance(reason, str) else "broken off"
        return TransportError(Kind.TLS, f"The TLS handshake failed ({detail}).")
    return TransportError(
        Kind.PROTOCOL, f"The exchange broke off ({type(error).__name__}).", status=status
    )
