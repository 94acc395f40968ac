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

#: Seconds without a ring, after the broker took none twice in a row, or once after a long wait.
QUIET: Final = 10.0
#: What a long wait is, in seconds.
LONG: Final = 0.5


class Doorbell:
    """Rings of one process; for many threads."""

    def __init__(self) -> None:
        self._quiet_until = float("-inf")
        self._is_doubtful = False

    def ring(self, task: Any) -> None:
        """Send ``task`` to some worker, unless the broker is away; never raises."""
        began = time.monotonic()
        if began < self._quiet_until:
            return
        try:
            task.delay()
        except Exception as error:  # noqa: BLE001 - the rows are safe, and workers look by themselves
            logger.warning("The broker cannot be rung: %s", type(error).__name__)
            now = time.monotonic()
            # One that fails at once may only have met a connection that was closed meanwhile.
            if self._is_doubtful or now - began > LONG:
                self._quiet_until = now + QUIET
            self._is_doubtful = True
        else:
            self._is_doubtful = False


#: The one of this process.
doorbell: Final = Doorbell()
