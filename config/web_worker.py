"""The gunicorn worker: its threaded one, whose threads wait for nobody.

Gunicorn hands a kept connection back to its main thread after each answer, which waits for the next
request and hands it to some thread again: two changes of thread, each of which costs as much as a
query. A partner or proxy that sends one request after the other sends the next one right away. So
the thread that has answered looks whether it is there already, and if so serves it. It leaves the
connection as soon as others wait for a thread, so nobody is kept from one.

And no thread waits for a request to arrive. Gunicorn's do: as many callers as there are threads,
who are silent or send a byte now and then, would keep everybody else out. Here a thread takes what
has come, and if that is not a whole request (:mod:`config.arrival`), the main thread waits for the
rest, on all such connections together. It waits as well for callers who do not close a connection
that was closed to them; gunicorn's main thread does that one after the other.
"""

from __future__ import annotations

import logging
import select
import selectors
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from io import BytesIO
from typing import Any, Final

from gunicorn.workers.gthread import _DEFER, ThreadWorker

from config import refusals, serving
from config.arrival import Arrival, is_whole
from tenants.error_places import place_of

logger = logging.getLogger(__name__)

#: Milliseconds to wait for more; a thread that waits serves nobody else.
_PATIENCE: Final = 1
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
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class WebWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Serves whole requests, those of one connection in one thread while no other is waiting."""

    def init_process(self) -> None:
        """Serve, until the process ends."""
        # Gunicorn looks up some twenty settings a request, each through a method of its
        # configuration and one of the setting: a fifth of its time. Nothing changes them here.
        found = {name: setting.get() for name, setting in self.cfg.settings.items()}
        own = vars(type(self.cfg))
        self.cfg.__dict__.update({name: found[name] for name in found.keys() - own.keys()})
        #: Connections that were closed to their callers, and until when those may close them.
        self._closing: dict[Any, float] = {}
        super().init_process()

    def handle(self, conn: Any) -> Any:
        """Serve a request, and those that follow at once; return what gunicorn's own returns."""
        kept: Any = _DEFER
        while self._has_arrived(conn, is_kept=kept is True):
            kept = super().handle(conn)
            if kept is not True or not self.alive or conn.is_http2 or self._others_wait:
                return kept
        if self._refuses(conn):
            return False
        # The main thread waits for it, together with all others.
        return _DEFER if conn.arrival else kept

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request that has arrived, and so is not invited to send its body."""
        if not self.cfg.is_ssl:
            req._expected_100_continue = False
        return super().handle_request(req, conn)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Answer what could not be served at all; neither answer nor log quotes any of it."""
        refused = refusals.refusal_of(exc)
        # No address: on a socket of the file system there is none.
        source, kind = addr[0] if addr else "", type(exc).__name__
        if refused is refusals.FAILED:
            logger.error("Unexpected %s at %s, from %s", kind, place_of(exc), source)
        else:
            logger.warning("Not a request (%s), from %s", kind, source)
        with suppress(OSError):
            _tell(client, refused)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Keep, wait for or close the connection, in the main thread; never wait here."""
        is_over = not fs.cancelled() and fs.exception() is None and not fs.result()
        if is_over and not self.cfg.is_ssl:
            self._begin_to_close(conn)
        else:
            super().finish_request(conn, fs)

    def murder_pending(self) -> None:
        """Close what was waited for long enough; called about once a second."""
        super().murder_pending()
        now = time.monotonic()
        self._close(conn for conn, until in list(self._closing.items()) if until <= now)

    def _begin_to_close(self, conn: Any) -> None:
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
        except OSError:
            self.nr_conns -= 1
            conn.close()
            return
        self._closing[conn] = time.monotonic() + _LINGER
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._drop, conn))

    def _drop(self, conn: Any, sock: socket.socket) -> None:
        """Drop what a caller sends to whom nobody listens; close when they do."""
        try:
            if sock.recv(_PIECE):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._close([conn])

    def _close(self, conns: Iterable[Any]) -> None:
        for conn in conns:
            del self._closing[conn]
            self.poller.unregister(conn.sock)
            self.nr_conns -= 1
            conn.close()

    def _cap_keepalive(self, deadline: float) -> None:
        """Close by ``deadline`` what is idle or waited for; called when the worker has to stop."""
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    def _has_arrived(self, conn: Any, *, is_kept: bool) -> bool:
        """Take what is there; a whole request, or all there will be, goes to the parser.

        ``is_kept`` says that the connection's last request has just been answered.
        """
        if self.cfg.is_ssl:
            return True  # gunicorn reads by itself
        if not conn.initialized:
            conn.init()
            conn.arrival = None
        if conn.is_http2:
            return True
        unreader, arrival = conn.parser.unreader, conn.arrival
        if arrival is None:
            # Something may have come along with the request before.
            piece = unreader.take_buffered() or self._taken(conn, at_once=not is_kept)
            if piece is None:
                return False
            if not piece or is_whole(piece):
                unreader.buf = BytesIO(piece)
                return True
            arrival = conn.arrival = Arrival()
            arrival.add(piece)
        while not arrival.is_whole():
            if arrival.take_invitation():
                conn.sock.sendall(_CONTINUE)
            piece = self._taken(conn)
            if piece is None:
                return False
            if not piece:
                break
            arrival.add(piece)
        unreader.buf = BytesIO(arrival.data)
        conn.arrival = None
        return True

    def _taken(self, conn: Any, *, at_once: bool = True) -> bytes | None:
        """Return what has come: empty if that was all, None if nothing comes within a moment.

        ``at_once`` says that something is likely to be there.
        """
        if at_once and (piece := _received(conn.sock)) is not None:
            return piece
        return _received(conn.sock) if self._is_readable(conn) else None

    def _refuses(self, conn: Any) -> bool:
        """Return whether the request is not waited for any longer; its sender was told."""
        arrival: Arrival | None = conn.arrival
        if arrival is None:
            return False
        refused = arrival.refusal(patience=_WHOLE)
        if refused is None and len(arrival.data) > _SMALL and self._held > _MOST_HELD:
            refused = refusals.TOO_BUSY
        if refused is None:
            return False
        _tell(conn.sock, refused)
        return True

    @property
    def _held(self) -> int:
        """Return the bytes of all requests that are waited for."""
        waiting = [getattr(conn, "arrival", None) for conn in list(self.pending_conns)]
        return sum(len(arrival.data) for arrival in waiting if arrival is not None)

    def _is_readable(self, conn: Any) -> bool:
        """Return whether something arrives, within a moment where nobody waits for this thread."""
        poll = select.poll()
        poll.register(conn.sock, select.POLLIN)
        return bool(poll.poll(0 if self._others_wait else _PATIENCE))

    @property
    def _others_wait(self) -> bool:
        return bool(self.tpool._work_queue.qsize())


def _received(sock: socket.socket) -> bytes | None:
    """Return what is there, None if nothing is, and nothing where nothing will be."""
    try:
        return sock.recv(_PIECE, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return None
    except OSError:
        return b""  # the parser comes to know


def _tell(sock: socket.socket, refused: refusals.Refused) -> None:
    """Send the answer as far as the caller takes it without waiting."""
    with suppress(BlockingIOError):
        sock.send(refused.answer, socket.MSG_DONTWAIT)
