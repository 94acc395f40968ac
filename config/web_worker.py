"""The gunicorn worker: its threaded one, which stays with a connection as long as nobody waits.

Gunicorn hands a kept connection back to its main thread after each answer, which waits for the next
request and hands it to some thread again: two changes of thread, each of which costs as much as a
query. A partner or proxy that sends one request after the other sends the next one right away. So
the thread that has answered looks whether it is there already, and if so serves it. It leaves the
connection as soon as others wait for a thread, so nobody is kept from one.

For the same reason no thread waits for the first request of a new connection. Gunicorn's do, for
five seconds: as many silent connections as there are threads would keep everybody else out.
"""

from __future__ import annotations

import select
from typing import Any, Final

from gunicorn.workers.gthread import _DEFER, ThreadWorker

#: Milliseconds to wait for the next request; a thread that waits serves nobody else.
_PATIENCE: Final = 1


class WebWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Serves requests of one connection in one thread for as long as no other connection waits."""

    def init_process(self) -> None:
        """Serve, until the process ends."""
        # Gunicorn looks up some twenty settings a request, each through a method of its
        # configuration and one of the setting: a fifth of its time. Nothing changes them here.
        found = {name: setting.get() for name, setting in self.cfg.settings.items()}
        own = vars(type(self.cfg))
        self.cfg.__dict__.update({name: found[name] for name in found.keys() - own.keys()})
        super().init_process()

    def handle(self, conn: Any) -> Any:
        """Serve a request, and those that follow at once; return what gunicorn's own returns."""
        if not conn.initialized and not conn.data_ready and not self._is_readable(conn):
            return _DEFER  # the main thread waits for it, together with all others
        while True:
            kept = super().handle(conn)
            if kept is not True or not self._may_stay(conn):
                return kept

    def _may_stay(self, conn: Any) -> bool:
        """Return whether another request is there and nobody else is waiting for this thread."""
        if not self.alive or conn.is_http2 or self._others_wait:
            return False
        return bool(conn.parser.unreader.buf.getvalue()) or self._is_readable(conn)

    def _is_readable(self, conn: Any) -> bool:
        """Return whether something arrives, within a moment where nobody waits for this thread."""
        poll = select.poll()
        poll.register(conn.sock, select.POLLIN)
        return bool(poll.poll(0 if self._others_wait else _PATIENCE))

    @property
    def _others_wait(self) -> bool:
        return bool(self.tpool._work_queue.qsize())
