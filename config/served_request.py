"""One request: read from what has arrived, answered by the application, all with gunicorn's means.

What differs from gunicorn's own workers: a request is here as a whole, so nothing waits for the
rest of it; an answer that is one piece leaves in one go, head and body, where two would wake the
caller twice; and who is slow to read an answer keeps nobody else waiting.
"""

from __future__ import annotations

import errno
import logging
import socket
import threading
import time
from typing import Any, Final

from gunicorn import util
from gunicorn.http import wsgi
from gunicorn.http.errors import NoMoreData
from gunicorn.http.message import Request

from tenants.error_places import place_of
from tenants.serving_threads import seats

logger = logging.getLogger(__name__)

#: Bytes of a body nobody read after which a connection still goes on. A request may be refused
#: before its body is read, and a larger one is not here to be dropped.
UNREAD: Final = 32 * 1024
_PIECE: Final = 64 * 1024
#: Seconds a caller may have us wait, in all, until an answer is taken; how many such callers are
#: waited for at once, each by a thread; and seconds after which one more loses the connection.
_TAKEN: Final = 30.0
SLOW_READERS: Final = 32
_PLACE: Final = 0.2
_slow_readers: Final = threading.BoundedSemaphore(SLOW_READERS)
#: A caller who is gone, or does not read the answer.
_CALLERS: Final = frozenset(
    {errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.EAGAIN, errno.ETIMEDOUT}
)


class _Outgoing:
    """The way to a caller. While they do not read, another request has the seat."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._patience = _TAKEN

    def sendall(self, data: bytes) -> None:
        """Send all of it. Raises OSError if the caller is gone, or too slow."""
        try:
            sent = self._sock.send(data, socket.MSG_DONTWAIT)
        except BlockingIOError:
            sent = 0
        if sent == len(data):
            return
        with seats.left():
            if not _slow_readers.acquire(timeout=_PLACE):
                raise TimeoutError(errno.ETIMEDOUT, "Too many do not read their answers")
            try:
                self._wait_and_send(memoryview(data)[sent:])
            finally:
                _slow_readers.release()

    def _wait_and_send(self, rest: memoryview) -> None:
        begun = time.monotonic()
        self._sock.settimeout(max(self._patience, 0))
        try:
            self._sock.sendall(rest)
        except TimeoutError:
            raise TimeoutError(errno.ETIMEDOUT, "The answer is not read") from None
        finally:
            self._sock.settimeout(None)
            self._patience -= time.monotonic() - begun


class Response(wsgi.Response):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's, and one that is a single piece is sent in one go."""

    headers_sent: bool

    def __init__(self, req: Any, sock: socket.socket, cfg: Any) -> None:
        super().__init__(req, _Outgoing(sock), cfg)

    @property
    def is_short(self) -> bool:
        """Return whether the caller waits for more than was sent."""
        declared: int = self.response_length or 0
        return not self._omits_body and self.sent < declared

    def write_file(self, respiter: Any) -> None:
        """Send a file; not as gunicorn does, which waits without end for who does not read it."""
        while piece := respiter.filelike.read(_PIECE):
            self.write(piece)

    def write(self, arg: bytes) -> None:
        """Send a piece of the body, and the head before the first."""
        is_all = len(arg) == self.response_length and not self._omits_body
        # To copy a large one would cost more than to send twice.
        if self.headers_sent or not is_all or len(arg) > _PIECE:
            super().write(arg)
            return
        lines = [*self.default_headers(), *[f"{name}: {text}\r\n" for name, text in self.headers]]
        self.headers_sent = True
        self.sent = len(arg)
        util.write(self.sock, "".join([*lines, "\r\n"]).encode("latin-1") + arg)


def serve(worker: Any, connection: Any) -> bool:
    """Serve the request that has arrived on ``connection``; return whether that goes on."""
    request = None
    connection.requests += 1
    try:
        request = Request(worker.cfg, connection.unreader, connection.client, connection.requests)
        # It is here, so nobody has to be asked for it.
        request._expected_100_continue = False
        return _answer(worker, connection, request)
    except (StopIteration, NoMoreData):
        pass  # the caller has closed the connection
    except OSError as error:
        if error.errno not in _CALLERS:
            logger.error("Unexpected %s at %s", type(error).__name__, place_of(error))  # noqa: TRY400
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it ends this connection alone
        worker.handle_error(request, connection.sock, connection.client, error)
    return False


def _answer(worker: Any, connection: Any, request: Any) -> bool:
    response, environ = wsgi.create(
        *(request, connection.sock, connection.client, connection.server, worker.cfg),
        response_class=Response,
    )
    environ["wsgi.multithread"] = True
    worker.nr += 1
    if worker.nr >= worker.max_requests:
        worker.alive = False
    is_last = not worker.alive or not worker.cfg.keepalive or not worker.has_room
    if is_last or _may_be_left_unread(environ):
        response.force_close()
    try:
        answered = worker.wsgi(environ, response.start_response)
        try:
            if isinstance(answered, environ["wsgi.file_wrapper"]):
                response.write_file(answered)
            else:
                for piece in answered:
                    response.write(piece)
            response.close()
        finally:
            if hasattr(answered, "close"):
                answered.close()
    except OSError:
        raise
    except (Exception, SystemExit) as error:
        if not response.headers_sent:
            raise
        # A second answer would pass for the rest of the first.
        logger.error("Unexpected %s at %s", type(error).__name__, place_of(error))  # noqa: TRY400
        return False
    if response.should_close() or response.is_short:
        return False
    # The next request begins where the body of this one ends.
    while request.body.read(_PIECE):
        pass
    return True


def _may_be_left_unread(environ: dict[str, Any]) -> bool:
    """Return whether the connection ends with the answer, which has to say so.

    Else the next request on it, perhaps another partner's behind the same proxy, would be lost.
    """
    declared = environ.get("CONTENT_LENGTH", "")
    return (
        declared.isascii() and declared.isdigit() and int(declared) > UNREAD
    ) or "HTTP_TRANSFER_ENCODING" in environ
