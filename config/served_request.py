"""One request: read from what has arrived, answered by the application, all with gunicorn's means.

What differs from gunicorn's own workers: a request is here as a whole, so nothing waits for the
rest of it; and an answer that is one piece leaves in one go, head and body, where two would wake
the caller twice.
"""

from __future__ import annotations

import errno
import logging
from typing import Any, Final

from gunicorn import util
from gunicorn.http import wsgi
from gunicorn.http.errors import NoMoreData
from gunicorn.http.message import Request

from tenants.error_places import place_of

logger = logging.getLogger(__name__)

#: Bytes of a body nobody read after which a connection still goes on. A request may be refused
#: before its body is read, and a larger one is not here to be dropped.
UNREAD: Final = 32 * 1024
_PIECE: Final = 64 * 1024
#: A caller who is gone, or does not read the answer.
_CALLERS: Final = frozenset(
    {errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.EAGAIN, errno.ETIMEDOUT}
)


class Response(wsgi.Response):  # type: ignore[misc]  # gunicorn has no types
    """Gunicorn's, and one that is a single piece is sent in one go."""

    headers_sent: bool

    def write(self, arg: bytes) -> None:
        """Send a piece of the body, and the head before the first."""
        if self.headers_sent or self._omits_body or len(arg) != self.response_length:
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
    except Exception as error:  # noqa: BLE001 - whatever it is, it ends this connection alone
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
    if not worker.alive or not worker.cfg.keepalive or _may_be_left_unread(environ):
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
    except Exception as error:
        if not response.headers_sent:
            raise
        # A second answer would pass for the rest of the first.
        logger.error("Unexpected %s at %s", type(error).__name__, place_of(error))  # noqa: TRY400
        return False
    if response.should_close():
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
