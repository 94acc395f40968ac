"""Each worker looks for what is due by itself, whatever beat and the broker do.

Rings come over the broker and make work prompt. Should every one of them be lost, the broker be
gone altogether, or the worker hear nothing more of it, this thread of the worker still finds all
that is due: deliveries, and whatever else :func:`duty` was told of.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar

from celery import bootsteps

logger = logging.getLogger(__name__)

#: Seconds between two looks; each is one query where nothing is due.
SECONDS: Final = 5.0

_Duty = TypeVar("_Duty", bound=Callable[[], object])
_duties: list[Callable[[], object]] = []


def duty(look: _Duty) -> _Duty:
    """Have every worker call the decorated function too, each time it looks for deliveries.

    For work that rows say is due. Several workers call it at once, and rings do besides.
    """
    _duties.append(look)
    return look


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
    """Deliver, do what else is due and go on with replays; never raise."""
    from django.db import connections  # noqa: PLC0415 - the settings are read later

    from callbacks.tasks import deliver_due, go_on_with_replays  # noqa: PLC0415 - models load later

    # Once more at the end: what is due may be to queue deliveries. Not only then, for it may take
    # a while.
    looks: list[Callable[[], object]] = [deliver_due, *_duties, go_on_with_replays, deliver_due]
    try:
        for look in looks:
            _try(look)
    finally:
        connections.close_all()


def _try(look: Callable[[], object]) -> None:
    try:
        look()
    except Exception as error:  # noqa: BLE001 - a database that is away comes back
        name = getattr(look, "__name__", "work")
        logger.error("The look for due work (%s) failed: %s", name, type(error).__name__)  # noqa: TRY400
