"""The gunicorn worker: its threaded one, which stays with a connection as long as nobody waits.

Gunicorn hands a kept connection back to its main thread after each answer, which waits for the next
request and hands it to some thread again: two changes of thread, each of which costs as much as a
query. A partner or proxy that sends one request after the other sends the next one right away. So
the thread that has answered looks whether it is there already, and if so serves it. It leaves the
connection as soon as others wait for a thread, so nobody is kept from one.
"""

from __future__ import annotations

import select
from typing import Any, Final

from gunicorn.workers.gthread import ThreadWorker

#: Milliseconds to wait for the next request; a thread that waits serves nobody else.
_PATIENCE: Final = 1


class WebWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Serves requests of one connection in one thread for as long as no other connection waits."""

    def handle(self, conn: Any) -> Any:
        """Serve a request, and those that follow at once; return what gunicorn's own returns."""
        while True:
            kept = super().handle(conn)
            if kept is not True or not self._may_stay(conn):
                return kept

    def _may_stay(self, conn: Any) -> bool:
        """Return whether another request is there and nobody else is waiting for this thread."""
        if not self.alive or conn.is_http2 or self.tpool._work_queue.qsize():
            return False
        if conn.parser.unreader.buf.getvalue():
            return True
        poll = select.poll()
        poll.register(conn.sock, select.POLLIN)
        return bool(poll.poll(_PATIENCE))
