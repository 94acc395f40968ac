"""Have some worker look for what is due now, and never wait long for the broker.

What is rung for stands in rows, and every worker looks for those by itself within seconds
(callbacks/sweeper.py). So a ring that cannot be heard is let go; and where the broker is away or
stands still, which takes some seconds to notice, nobody rings again for a while: requests would
each wait for that, and hold a thread.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Final

logger = logging.getLogger(__name__)

#: Seconds without a ring after one that the broker did not take.
QUIET: Final = 10.0


class Doorbell:
    """Rings of one process; for many threads."""

    def __init__(self) -> None:
        self._quiet_until = float("-inf")

    def ring(self, task: Any) -> None:
        """Send ``task`` to some worker, if the broker took the last one; never raises."""
        if time.monotonic() < self._quiet_until:
            return
        try:
            task.delay()
        except Exception as error:  # noqa: BLE001 - the rows are safe, and workers look by themselves
            self._quiet_until = time.monotonic() + QUIET
            logger.warning("The broker cannot be rung: %s", type(error).__name__)


#: The one of this process.
doorbell: Final = Doorbell()
