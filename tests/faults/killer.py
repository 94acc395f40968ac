"""Kills whatever runs, at random moments, and starts it again a moment later."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Mapping

from tests.faults.brokers import Broker
from tests.support.product import Product

#: Seconds for which what was killed stays away.
_AWAY = (0.1, 1.5)


class Killer:
    """Does each of ``faults`` so many times at moments spread over ``seconds``, in its own thread.

    A fault is the name of a process of ``copy``, ``broker`` or ``flush``. The same ``seed`` draws
    the same moments; a fault that takes long, as a broker's start does, puts off the next ones.
    """

    def __init__(
        self, copy: Product, broker: Broker, faults: Mapping[str, int], seconds: float, seed: int
    ) -> None:
        self._copy, self._broker = copy, broker
        chance = random.Random(seed)
        names = [name for name, count in faults.items() for _ in range(count)]
        self.plan = sorted(
            (chance.uniform(0, seconds), name, chance.uniform(*_AWAY)) for name in names
        )
        self.done: Counter[str] = Counter()
        self.error: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Begin no further fault, and wait for the one under way."""
        self._stop.set()
        self._thread.join()

    @property
    def is_done(self) -> bool:
        """Return whether every fault was done, or went wrong."""
        return not self._thread.is_alive()

    def _run(self) -> None:
        began = time.monotonic()
        try:
            for at, name, away in self.plan:
                if self._stop.wait(max(0.0, began + at - time.monotonic())):
                    return
                self._do(name, away)
                self.done[name] += 1
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    def _do(self, name: str, away: float) -> None:
        if name == "flush":
            self._broker.flush()
        elif name == "broker":
            self._broker.kill()
            time.sleep(away)
            self._broker.start()
        else:
            self._copy.kill(name)
            time.sleep(away)
            self._copy.spawn(name)
