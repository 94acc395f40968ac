"""Each worker looks for due deliveries by itself, whatever the broker does.

Rings come over the broker and make deliveries prompt. Should every one of them be lost, or the
broker be gone altogether, this thread of the worker still finds all that is due.
"""

from __future__ import annotations

import logging
import random
import threading
from typing import Any, Final

from celery import bootsteps

logger = logging.getLogger(__name__)

#: Seconds between two looks; each is one query where nothing is due.
SECONDS: Final = 5.0


class Sweeper(bootsteps.StartStopStep):
    """Runs beside the worker's pool from its start to its end."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, parent: Any) -> None:
        """Begin to look."""
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)
        self._thread.start()

    def stop(self, parent: Any) -> None:
        """Look no more; a round under way ends by itself."""
        self._ending.set()

    def terminate(self, parent: Any) -> None:
        """Do what :meth:`stop` does."""
        self.stop(parent)

    def _run(self) -> None:
        # Not all workers at the same moment.
        while not self._ending.wait(SECONDS * random.uniform(0.8, 1.2)):  # noqa: S311
            sweep()


def sweep() -> None:
    """Go on with replays and deliver what is due, unless a thread is at it; never raise."""
    from django.db import connections  # noqa: PLC0415 - the settings are read later

    from callbacks.tasks import deliver_due, go_on_with_replays  # noqa: PLC0415 - models load later

    try:
        go_on_with_replays()
        deliver_due()
    except Exception as error:  # noqa: BLE001 - a database that is away comes back
        logger.error("The look for due deliveries failed: %s", type(error).__name__)  # noqa: TRY400
    finally:
        connections.close_all()
