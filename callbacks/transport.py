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
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from urllib3.exceptions import HTTPError

from callbacks import connections, resolver, ssrf
from callbacks.connections import Connection, Connections, Place
from callbacks.errors import Kind, TransportError
from callbacks.resolver import Resolve
from callbacks.sockets import DeadlineTLSSocket, OngoingCall, ongoing
from callbacks.timings import Stopwatch, Timings
from tenants.outbound_urls import OutboundUrl

# Its debug lines and warnings quote URLs, and those may hold secrets in their query.
logging.getLogger("urllib3").setLevel(logging.CRITICAL)


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


class Transport:
    """A set of pooled connections. Safe for use by many threads.

    ``resolve`` and ``tls`` replace the operating system's resolver and certificates.
    """

    def __init__(
        self, *, resolve: Resolve = resolver.resolve, tls: ssl.SSLContext | None = None
    ) -> None:
        self._resolve = resolve
        self._tls = tls
        self.after_fork()

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
        parts = _parts(url)
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
        place = Place(parts.scheme, parts.host, parts.port, require_tls)
        token = ongoing.set(call)
        try:
            while (kept := self._kept.take(place)) is not None:
                try:
                    return self._exchange(kept, place, call, request, max_answer)
                except TransportError as error:
                    if call.sent or error.kind is not Kind.PROTOCOL:
                        raise
            fresh = connections.fresh(place, self._context())
            return self._exchange(fresh, place, call, request, max_answer)
        except TransportError as error:
            error.timings = call.watch.stop()
            raise
        finally:
            ongoing.reset(token)

    def _exchange(
        self,
        connection: Connection,
        place: Place,
        call: OngoingCall,
        request: _Request,
        max_answer: int,
    ) -> HttpAnswer:
        """Send one request over ``connection`` and read the answer to its end."""
        response: http.client.HTTPResponse | None = None
        is_read = False
        try:
            headers = {"Accept-Encoding": "identity", **request.headers}
            connection.send_whole(request.method, call.url.target, request.body, headers)
            response = connection.answer()
            body = _read(response, max_answer)
            is_read = True
        except (HTTPError, http.client.HTTPException, OSError, ValueError) as error:
            raise _told(error, call, response.status if response else None) from None
        finally:
            # A connection with an unread rest is of no use to anybody.
            if response is not None:
                response.close()
            if is_read and connection.sock is not None:
                self._kept.keep(place, connection)
            else:
                connection.close()
        return HttpAnswer(response.status, _headers(response), body, call.watch.stop())

    def forget_connections(self) -> None:
        """Drop every kept connection."""
        self._kept.clear()

    def after_fork(self) -> None:
        """Leave the parent's connections to the parent."""
        self._lock = threading.Lock()
        self._verifying: ssl.SSLContext | None = None
        self._kept = Connections()

    def _context(self) -> ssl.SSLContext:
        with self._lock:
            if self._verifying is None:
                self._verifying = self._tls or ssl.create_default_context()
                self._verifying.sslsocket_class = DeadlineTLSSocket
            return self._verifying


#: The connections of this process.
shared = Transport()
os.register_at_fork(after_in_child=shared.after_fork)


@lru_cache(maxsize=1024)
def _parts(url: str) -> OutboundUrl:
    return ssrf.parsed(url)


def _headers(response: http.client.HTTPResponse) -> dict[str, str]:
    """Return the headers, those that go on over several lines (RFC 9112 §5.2) on one."""
    return {
        name.lower(): " ".join(value.split()) if "\n" in value else value
        for name, value in response.getheaders()
    }


def _read(response: http.client.HTTPResponse, limit: int) -> bytes:
    is_too_large = (response.length or 0) > limit
    if not is_too_large:
        body = response.read(limit + 1)
        is_too_large = len(body) > limit
    if is_too_large:
        raise TransportError(
            Kind.TOO_LARGE, f"The answer is larger than {limit} bytes.", status=response.status
        )
    if response.length:  # it was to be longer
        raise http.client.IncompleteRead(b"", response.length)
    return body


def _told(error: Exception, call: OngoingCall, status: int | None) -> TransportError:
    """Return ``error`` in our words; its own may quote the URL."""
    if isinstance(error, TimeoutError):
        return TransportError(Kind.TIMEOUT, "No answer within the time.", status=status)
    # A certificate that does not verify is a ValueError as well.
    if isinstance(error, ValueError) and not isinstance(error, OSError | HTTPError):
        return TransportError(Kind.BAD_URL, "A header cannot be sent.", permanent=True)
    if call.url.scheme == "https" and call.dialled and not call.sending:
        reason = error.reason if isinstance(error, ssl.SSLError) else None
        detail = reason if isinstance(reason, str) else "broken off"
        return TransportError(Kind.TLS, f"The TLS handshake failed ({detail}).")
    return TransportError(
        Kind.PROTOCOL, f"The exchange broke off ({type(error).__name__}).", status=status
    )
