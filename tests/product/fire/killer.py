"""Kills one web process after the other, each when the one before has come back."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from dataclasses import dataclass, field

from tests.support.officer import Officer
from tests.support.product import Product

#: Seconds within which a web process must be back and report.
_PATIENCE = 120.0


@dataclass
class Killer:
    """SIGKILLs web processes in a thread of its own, ``pause`` seconds after the last came back."""

    copy: Product
    officer: Officer
    pause: float
    kills: int = 0
    error: BaseException | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        """End; what went wrong is in ``error``."""
        self._stop.set()
        assert self._thread is not None
        self._thread.join(2 * _PATIENCE)

    def _run(self) -> None:
        try:
            while not self._stop.wait(self.pause):
                victim = random.choice(self.copy.web_workers())
                os.kill(victim, signal.SIGKILL)
                self.kills += 1
                self._wait_until_back(victim)
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    def _wait_until_back(self, victim: int) -> None:
        deadline = time.monotonic() + _PATIENCE
        while True:
            pids = set(self.copy.web_workers())
            reporting = {int(name.rpartition(":")[2]) for name in self.officer.processes()}
            if len(pids) == 2 and victim not in pids and pids <= reporting:
                return
            assert time.monotonic() < deadline, "the web process did not come back"
            time.sleep(0.2)
