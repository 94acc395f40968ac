"""The gunicorn worker: threads that wait together, and none for a request to arrive.

Gunicorn's threaded worker has its main thread wait for all connections, hand each request to a
thread and take the connection back: two changes of thread a request, each of which costs as much
as a query. Here a thread that is free waits itself for the next connection that has something to
read (:mod:`config.readiness`). They come in the order in which it arrived, so no connection keeps
another from a thread.

What has come is taken, and if that is not a whole request (:mod:`config.arrival`), the connection
is left until there is more. Gunicorn's threads wait: as many callers as there are threads, who are
silent or send a byte now and then, would keep everybody else out. Nor does a thread wait for a
caller to close a connection that was closed to them.

Reading and answering a request is gunicorn's part (:mod:`config.served_request`). TLS is the part
of a proxy.
"""

from __future__ import annotations

import errno
import logging
import os
import select
import socket
import threading
import time
from contextlib import suppress
from io import BytesIO
from typing import Any, Final

from gunicorn.http.errors import NoMoreData
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.base import Worker

from config import readiness, refusals, serving
from config.arrival import Arrival, is_whole
from config.readiness import END
from config.served_request import SLOW_READERS, serve
from tenants.error_places import place_of
from tenants.serving_threads import seats

logger = logging.getLogger(__name__)

#: Seconds a request may take to arrive.
_WHOLE: Final = serving.request_seconds()
#: Bytes taken from a connection at once: more than a request has, and no more to make room for.
_PIECE: Final = 16 * 1024
#: Bytes of requests that are not whole, in all connections of a process; beyond it only small ones
#: are waited for.
_MOST_HELD: Final = 128 * 1024 * 1024
_SMALL: Final = 64 * 1024
#: Seconds a caller has to read the last answer and close, while what they still send is dropped:
#: closing at once would throw the answer away (RFC 9112 §9.6).
_LINGER: Final = 5.0
#: Seconds a process that ends waits for requests that may be on their way.
_LAST_REQUESTS: Final = 2.0
#: Seconds after which whatever a thread was about to accept is among the connections.
_LAST_ACCEPTED: Final = 0.1
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class _Arrived(SocketUnreader):  # type: ignore[misc]  # gunicorn has no types
    """What has arrived: a parser that wants more does not wait for it."""

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return what is there, and nothing at the end; raise NoMoreData if more may come."""
        piece = _received(self.sock)
        if piece is None:
            raise NoMoreData
        return piece


class Connection:
    """One caller's. Only the thread that took it touches it."""

    def __init__(self, sock: socket.socket, client: Any, server: Any) -> None:
        self.sock = sock
        self.descriptor = sock.fileno()
        self.client = client
        self.server = server
        self.unreader = _Arrived(sock)
        #: Requests that were read from it.
        self.requests = 0
        #: What has come of one that is not whole.
        self.arrival: Arrival | None = None
        #: Until when, on the monotonic clock, anything is waited for.
        self.until = float("inf")
        self.is_known = False
        #: It is closed to the caller, who is yet to close it.
        self.is_closing = False


class WebWorker(Worker):  # type: ignore[misc]  # gunicorn has no types
    """Serves whole requests in threads of its own; the main one watches signals and the clock."""

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """End the server where it was told what it cannot do. Raises SystemExit."""
        if cfg.is_ssl:
            raise SystemExit("Sealgate does not speak TLS by itself: put a proxy before it.")

    def init_process(self) -> None:
        """Serve, until the process ends."""
        # Gunicorn looks up some twenty settings a request, each through a method of its
        # configuration and one of the setting: a fifth of its time. Nothing changes them here.
        found = {name: setting.get() for name, setting in self.cfg.settings.items()}
        own = vars(type(self.cfg))
        self.cfg.__dict__.update({name: found[name] for name in found.keys() - own.keys()})
        self._ready = readiness.make()
        self._listeners = {listener.fileno(): listener for listener in self.sockets}
        #: Listeners that are not listened to for a moment.
        self._resting: set[int] = set()
        #: All that are open, and those of them that no thread has.
        self._connections: dict[int, Connection] = {}
        self._waiting: set[Connection] = set()
        super().init_process()

    def run(self) -> None:
        """Accept connections and serve them, until the process has to end."""
        for descriptor, listener in self._listeners.items():
            listener.setblocking(False)
            self._ready.add(descriptor)
        seats.set_up(self.cfg.threads, self._ready.wake)
        # Those beyond the seats are for requests that wait for a service elsewhere, or for callers
        # who are slow to read.
        for number in range(self.cfg.threads + serving.upstream_calls() + SLOW_READERS):
            threading.Thread(target=self._work, name=f"web-{number}", daemon=True).start()
        while self.alive and self.ppid == os.getppid():
            self._look_after(1.0)
            while self._resting and self.has_room:
                self._ready.again(self._resting.pop())
        self._finish()

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Answer what could not be served at all; neither answer nor log quotes any of it."""
        refused = refusals.refusal_of(exc)
        # No address: on a socket of the file system there is none.
        source, kind = addr[0] if addr else "", type(exc).__name__
        if refused is refusals.FAILED:
            logger.error("Unexpected %s at %s, from %s", kind, place_of(exc), source)
        else:
            logger.warning("Not a request (%s), from %s", kind, source)
        _tell(client, refused.answer)

    @property
    def has_room(self) -> bool:
        """Return whether there may be one more connection."""
        most: int = self.cfg.worker_connections
        return len(self._connections) < most

    # -- the main thread -------------------------------------------------------------------

    def _look_after(self, seconds: float) -> None:
        """Say that the process lives; close what was waited for long enough.

        Then wait for ``seconds``, or until a signal comes.
        """
        self.notify()
        now = time.monotonic()
        for connection in list(self._connections.values()):
            if connection.until <= now and self._takes(connection):
                self._close(connection)
        if select.select([self.PIPE[0]], [], [], seconds)[0]:
            os.read(self.PIPE[0], 4096)

    def _finish(self) -> None:
        """Accept nothing more; answer what is here, and what comes within a moment."""
        self.alive = False
        for descriptor in self._listeners:
            self._ready.remove(descriptor)
        now = time.monotonic()
        for connection in list(self._connections.values()):
            if not connection.is_closing:
                connection.until = min(connection.until, now + _LAST_REQUESTS)
        while time.monotonic() < now + (
            self.cfg.graceful_timeout if self._connections else _LAST_ACCEPTED
        ):
            self._look_after(0.1)
        self._ready.end()
        for listener in self.sockets:
            listener.close()

    # -- its threads -----------------------------------------------------------------------

    def _work(self) -> None:
        """Serve what is ready, one after the other."""
        with seats.taken():
            while (descriptor := self._ready.next()) != END:
                if descriptor is not None:
                    self._serve(descriptor)
                if seats.are_wanted:
                    seats.pass_on()

    def _serve(self, descriptor: int) -> None:
        if listener := self._listeners.get(descriptor):
            self._accept(descriptor, listener)
        elif (connection := self._connections.get(descriptor)) and self._takes(connection):
            self._attend(connection)

    def _takes(self, connection: Connection) -> bool:
        """Return whether the connection is this thread's from now on: one thread's alone."""
        try:
            self._waiting.remove(connection)
        except KeyError:
            return False
        return True

    def _accept(self, descriptor: int, listener: socket.socket) -> None:
        if not self.alive:
            return  # it waits for another process
        try:
            sock, client = listener.accept()
        except OSError as error:
            # Another process was faster, or the caller gave up.
            if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED):
                self._listen(descriptor)
            else:
                logger.error("No connection can be accepted: %s", error.strerror)  # noqa: TRY400
                self._resting.add(descriptor)
            return
        connection = Connection(sock, client, listener.getsockname())
        self._connections[connection.descriptor] = connection
        if self.has_room:
            self._listen(descriptor)
        else:
            self._resting.add(descriptor)
        sock.setblocking(True)
        self._attend(connection)

    def _listen(self, descriptor: int) -> None:
        with suppress(OSError):  # the process ends, and accepts nothing more
            self._ready.again(descriptor)

    def _attend(self, connection: Connection) -> None:
        """Serve the next request of ``connection`` if it is here, and see what becomes of that."""
        try:
            if connection.is_closing:
                self._drop(connection)
            elif not self._has_arrived(connection):
                if self._refuses(connection):
                    self._begin_to_close(connection)
                else:
                    self._wait_for(connection, self.cfg.keepalive)
            elif not serve(self, connection):
                self._begin_to_close(connection)
            else:
                # The next request may be here already: its turn comes, if answers are taken.
                is_ahead = connection.unreader.buf.getbuffer().nbytes > 0
                self._wait_for(connection, self.cfg.keepalive, to_write=is_ahead)
        except Exception as error:  # noqa: BLE001 - the thread goes on with the others
            logger.error("Unexpected %s at %s", type(error).__name__, place_of(error))  # noqa: TRY400
            self._close(connection)

    def _wait_for(self, connection: Connection, seconds: float, *, to_write: bool = False) -> None:
        """Leave the connection to whoever gets to know that something came.

        With ``to_write``, that an answer can be sent.
        """
        seconds = seconds if self.alive or connection.is_closing else min(seconds, _LAST_REQUESTS)
        connection.until = time.monotonic() + seconds
        self._waiting.add(connection)
        wait = self._ready.again if connection.is_known else self._ready.add
        connection.is_known = True
        try:
            wait(connection.descriptor, to_write=to_write)
        except OSError:
            # The main thread may have closed it just now, as its time was over.
            if self._takes(connection):
                raise

    def _begin_to_close(self, connection: Connection) -> None:
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(connection)
            return
        connection.is_closing = True
        self._wait_for(connection, _LINGER)

    def _drop(self, connection: Connection) -> None:
        """Drop what a caller sends to whom nobody listens; close when they do."""
        seconds = connection.until - time.monotonic()
        if _received(connection.sock) == b"" or seconds <= 0:
            self._close(connection)
        else:
            self._wait_for(connection, seconds)

    def _close(self, connection: Connection) -> None:
        # Another one may get its number as soon as it is closed.
        del self._connections[connection.descriptor]
        connection.sock.close()

    def _has_arrived(self, connection: Connection) -> bool:
        """Take what is there; a whole request, or all there will be, goes to the parser."""
        unreader, arrival = connection.unreader, connection.arrival
        if arrival is None:
            # Something may have come along with the request before.
            piece = unreader.take_buffered() or _received(connection.sock)
            if piece is None:
                return False
            if not piece or is_whole(piece):
                unreader.buf = BytesIO(piece)
                return True
            arrival = connection.arrival = Arrival()
            arrival.add(piece)
        while not arrival.is_whole():
            if arrival.take_invitation():
                _tell(connection.sock, _CONTINUE)
            # Who sends without a pause may not send more than others either.
            refused = arrival.refusal(patience=_WHOLE)
            piece = _received(connection.sock) if refused is None else None
            if piece is None:
                return False
            if not piece:
                break
            arrival.add(piece)
        unreader.buf = BytesIO(arrival.data)
        connection.arrival = None
        return True

    def _refuses(self, connection: Connection) -> bool:
        """Return whether the request is not waited for any longer; its sender was told."""
        arrival = connection.arrival
        if arrival is None:
            return False
        refused = arrival.refusal(patience=_WHOLE)
        if refused is None and len(arrival.data) > _SMALL and self._held > _MOST_HELD:
            refused = refusals.TOO_BUSY
        if refused is None:
            return False
        _tell(connection.sock, refused.answer)
        return True

    @property
    def _held(self) -> int:
        """Return the bytes of all requests that are waited for."""
        waiting = [connection.arrival for connection in list(self._waiting)]
        return sum(len(arrival.data) for arrival in waiting if arrival is not None)


def _received(sock: socket.socket) -> bytes | None:
    """Return what is there, None if nothing is, and nothing where nothing will be."""
    try:
        return sock.recv(_PIECE, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return None
    except OSError:
        return b""  # the parser comes to know


def _tell(sock: socket.socket, answer: bytes) -> None:
    """Send the answer as far as the caller is there and takes it without waiting."""
    with suppress(OSError):
        sock.send(answer, socket.MSG_DONTWAIT)
