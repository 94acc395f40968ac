"""A real HTTP or HTTPS server that stands for whoever receives: records, and misbehaves on demand.

with Receiver() as receiver:
    receiver.next(Reply(status=500), Reply(drip=0.1, body=b"slow"))
    ...  # afterwards it answers receiver.default
    assert receiver.requests[0].body == b"{}"
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self, cast


@dataclass(frozen=True)
class Received:
    """One request. Header names are lower case; ``connection`` numbers the TCP connections."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connection: int
    at: float


@dataclass(frozen=True)
class Reply:
    """How to answer one request.

    ``delay`` seconds before the first byte; ``drip`` seconds between single bytes, of the head
    too with ``drip_head``; ``hang_up`` closes without a word, ``reset`` with a TCP reset;
    ``close`` closes after the answer; ``raw`` is sent as it is in place of everything; ``cut``
    promises the whole body and sends so many bytes of it; ``no_length`` ends the body by closing;
    ``chunked`` sends it in chunks.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0
    drip: float = 0
    drip_head: bool = False
    hang_up: bool = False
    reset: bool = False
    close: bool = False
    raw: bytes | None = None
    cut: int | None = None
    no_length: bool = False
    chunked: bool = False


class Receiver:
    """The server, on a free port of ``host``; with ``tls`` it speaks HTTPS."""

    def __init__(self, host: str = "127.0.0.1", *, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self.default = Reply()
        self._next: deque[Reply] = deque()
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._open: set[socket.socket] = set()
        self.stopping = threading.Event()
        self._server = _Server((host, 0), _Handler, self, tls)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self.host = host
        self.port = self._server.server_address[1]
        self.scheme = "https" if tls else "http"

    @property
    def url(self) -> str:
        """Return the address by IP, without a path."""
        return self.url_at(self.host)

    def url_at(self, host: str, path: str = "") -> str:
        """Return the address with another host name, such as localhost."""
        return f"{self.scheme}://{host}:{self.port}{path}"

    def next(self, *replies: Reply) -> None:
        """Answer the coming requests so, one each."""
        with self._lock:
            self._next.extend(replies)

    def wait_for(self, count: int, seconds: float = 10) -> list[Received]:
        """Return the requests once there are ``count``."""
        with self._arrived:
            arrived = self._arrived.wait_for(lambda: len(self.requests) >= count, seconds)
            assert arrived, f"{len(self.requests)} of {count} requests arrived"
            return list(self.requests)

    def drop_connections(self, *, reset: bool = False) -> None:
        """Close every connection from this side, with a TCP reset if so told."""
        with self._lock:
            for connection in self._open:
                if reset:
                    _reset_on_close(connection)
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stopping.set()
        self._server.shutdown()
        self.drop_connections()
        self._server.server_close()
        self._thread.join()

    # -- for the handler -----------------------------------------------------------------

    def opened(self, connection: socket.socket) -> int:
        with self._lock:
            self.connections += 1
            self._open.add(connection)
            return self.connections

    def closed(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)

    def take(self, received: Received) -> Reply:
        with self._arrived:
            self.requests.append(received)
            self._arrived.notify_all()
            return self._next.popleft() if self._next else self.default


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        handler: type[BaseHTTPRequestHandler],
        receiver: Receiver,
        tls: ssl.SSLContext | None,
    ) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.receiver = receiver
        self.tls = tls
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are part of the play."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def setup(self) -> None:
        self.receiver = cast(_Server, self.server).receiver
        self.number = self.receiver.opened(self.request)
        tls = cast(_Server, self.server).tls
        if tls is not None:
            # In this connection's own thread: a client that never speaks TLS holds up nobody.
            plain = self.request
            self.receiver.closed(plain)
            self.request = tls.wrap_socket(plain, server_side=True)
            with self.receiver._lock:
                self.receiver._open.add(self.request)
        super().setup()

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            self.receiver.closed(self.request)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        reply = self.receiver.take(
            Received(
                method=self.command,
                target=self.path,
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(length),
                connection=self.number,
                at=time.time(),
            )
        )
        self.receiver.stopping.wait(reply.delay)
        if reply.reset:
            _reset_on_close(self.request)
        if reply.reset or reply.hang_up:
            self.close_connection = True
            return
        head, body = _wire(reply)
        self.close_connection = reply.close or reply.no_length or reply.cut is not None
        self._write(head, reply.drip if reply.drip_head else 0)
        self._write(body, reply.drip)

    def do_GET(self) -> None:
        self.do_POST()

    def _write(self, data: bytes, pause: float) -> None:
        if not pause:
            self.wfile.write(data)
            return
        for index in range(len(data)):
            self.wfile.write(data[index : index + 1])
            if self.receiver.stopping.wait(pause):
                return

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Stay silent."""


def _wire(reply: Reply) -> tuple[bytes, bytes]:
    if reply.raw is not None:
        return b"", reply.raw
    headers = {"Content-Type": "application/json", **reply.headers}
    body = reply.body
    if reply.chunked:
        headers["Transfer-Encoding"] = "chunked"
        body = b"".join(
            b"%x\r\n%s\r\n" % (len(piece), piece)
            for piece in (reply.body[at : at + 1000] for at in range(0, len(reply.body), 1000))
        )
        body += b"0\r\n\r\n"
    elif not reply.no_length:
        headers["Content-Length"] = str(len(reply.body))
    if reply.close or reply.no_length:
        headers["Connection"] = "close"
    if reply.cut is not None:
        body = body[: reply.cut]
    lines = [f"HTTP/1.1 {reply.status} Said", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1"), body


def _reset_on_close(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
