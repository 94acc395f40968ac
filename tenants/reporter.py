"""Each web and worker process reports which changes it has loaded.

One daemon thread a process, started after the fork (config/gunicorn.py, config/celery.py). It looks
at the epoch often, so that requests seldom have to, loads flows with a staged version before it
says so, and writes its row when there is news or the interval is over: SQLite has one writer, and
others need it more.

What a promotion makes of the rows stands in :mod:`tenants.rollout`: it does not wait for a process
that has not reported for long. Such a process may be alive all the same (it has just begun, or the
database refuses its reports), so until its next report it looks for changes before each request.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from tenants.at_rest import AtRestError
from tenants.keyring import Keyring, keyring
from tenants.models import Flow, Key, KeyState, ProcessReport

logger = logging.getLogger(__name__)

#: Seconds between two looks at the epoch: one read of one row. Below KEYRING_EPOCH_SECONDS.
LOOK_SECONDS: Final = 0.5
#: Seconds a process that ends gives the thread to take its row back.
_FAREWELL_SECONDS: Final = 3.0
#: For how many report intervals a process trusts its memory after a report: fewer than it
#: counts for others.
_TRUSTED_INTERVALS: Final = 2
_NOTHING: Final = -1


class Reporter:
    """The reports of one process. ``kind`` is *web* or *worker*."""

    def __init__(self, kind: str, ring: Keyring = keyring) -> None:
        self.id = uuid.uuid4()
        self._kind, self._host, self._pid = kind, socket.gethostname(), os.getpid()
        self.name = f"{kind} {self._host}:{self._pid}"
        self._started_at = timezone.now()
        self._ring = ring
        self._loaded = _NOTHING
        self._cannot_load: frozenset[str] = frozenset()
        self._written_at = float("-inf")
        self._is_silent = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="process-report", daemon=True)

    def start(self) -> None:
        """Start the thread. Until the first report the keyring looks before each request."""
        self._ring.trust_until(float("-inf"))
        self._thread.start()

    def stop(self) -> None:
        """End the thread and take the row back; waits a few seconds at most."""
        self._stop.set()
        self._thread.join(_FAREWELL_SECONDS)
        self._ring.trust_until(float("inf"))

    def look(self) -> None:
        """Take in what changed, and report it. Raises DatabaseError or InterfaceError."""
        epoch = self._ring.catch_up()
        is_news = epoch != self._loaded
        if is_news:
            self._load_since(self._loaded if epoch > self._loaded else _NOTHING)
            self._loaded = epoch
        if is_news or time.monotonic() - self._written_at >= settings.PROCESS_REPORT_SECONDS:
            self._write()

    def withdraw(self) -> None:
        """Delete the row. Raises DatabaseError or InterfaceError."""
        ProcessReport.objects.filter(pk=self.id).delete()

    # -- how it works ----------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            self._try(self.look)
            if self._stop.wait(LOOK_SECONDS):
                break
        self._try(self.withdraw)
        connection.close()

    def _try(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next look may succeed
            if not self._is_silent:
                self._is_silent = True
                logger.warning(
                    "%s cannot report what it has loaded: %s. It goes on trying.",
                    self.name,
                    type(error).__name__,
                )
            # A broken connection would stay broken.
            connection.close()
        else:
            if self._is_silent:
                self._is_silent = False
                logger.info("%s reports again.", self.name)

    def _load_since(self, epoch: int) -> None:
        """Load the flows with a staged version that changed, and those that failed before.

        No more than the keyring keeps: loading the others would only push these out. They are
        loaded when they are asked for.
        """
        changed = Flow.objects.filter(
            Q(changed_epoch__gt=epoch) | Q(pk__in=self._cannot_load),
            pk__in=Key.objects.filter(state=KeyState.STAGED).values("flow_id"),
        )
        newest = changed.order_by("-changed_epoch").values_list("pk", flat=True)
        failed = set()
        for flow_id in newest[: settings.KEYRING_CACHED_FLOWS]:
            try:
                self._ring.by_flow_id(str(flow_id))
            except (DatabaseError, InterfaceError):
                raise
            except Exception as error:  # noqa: BLE001 - this flow; the report tells of it
                failed.add(str(flow_id))
                if str(flow_id) not in self._cannot_load:
                    told = str(error) if isinstance(error, AtRestError) else type(error).__name__
                    text = "%s cannot load the keys of flow %s: %s"
                    logger.error(text, self.name, flow_id, told)  # noqa: TRY400 - no foreign texts
        self._cannot_load = frozenset(failed)

    def _write(self) -> None:
        """Write the row (one UPDATE unless it is not there), and trust the keyring's memory."""
        began = self._ring.clock()
        said: dict[str, Any] = {
            "seen_at": Now(),
            "epoch": self._loaded,
            "cannot_load": sorted(self._cannot_load),
        }
        if not ProcessReport.objects.filter(pk=self.id).update(**said):
            who = {"kind": self._kind, "host": self._host, "pid": self._pid}
            ProcessReport.objects.create(pk=self.id, started_at=self._started_at, **who, **said)
        self._written_at = time.monotonic()
        if not self._ring.is_trusted:
            # It counts from this row on. Nobody waited for it with what came before.
            self._ring.catch_up()
        self._ring.trust_until(began + _TRUSTED_INTERVALS * float(settings.PROCESS_REPORT_SECONDS))


_running: Reporter | None = None


def start(kind: str) -> None:
    """Have this process report as ``kind``, if it does not yet. Never before a fork."""
    global _running  # noqa: PLW0603 - one a process
    if _running is None:
        _running = Reporter(kind)
        _running.start()


def stop() -> None:
    """Take the report of this process back, if there is one."""
    global _running  # noqa: PLW0603
    if _running is not None:
        _running.stop()
        _running = None
