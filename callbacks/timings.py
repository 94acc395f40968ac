"""How long each phase of a call took."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timings:
    """Milliseconds, one phase after the other; None for a phase there was not.

    ``first_byte`` is from the connection (or, over one that was kept, from the start) until the
    first byte of the answer; ``rest`` from there to the end. Where a call failed, the phase it
    failed in is the last one and counts until the failure.
    """

    dns: float | None = None
    connect: float | None = None
    tls: float | None = None
    first_byte: float | None = None
    rest: float | None = None
    total: float = 0.0


class Stopwatch:
    """Laps of one call, which begins over a kept connection unless :meth:`dial` says otherwise."""

    def __init__(self) -> None:
        self._started = self._lapped = time.perf_counter()
        self._laps: dict[str, float] = {}
        self.phase = "first_byte"

    def dial(self, phase: str) -> None:
        """Begin with ``phase`` of a fresh connection; what a kept one cost is not told."""
        self._laps.clear()
        self.phase, self._lapped = phase, time.perf_counter()

    def begin(self, phase: str) -> None:
        """End the phase under way and begin ``phase``."""
        if phase != self.phase:
            self._close()
            self.phase = phase

    def stop(self) -> Timings:
        """Return the laps, the one under way ended now."""
        self._close()
        return Timings(**self._laps, total=_ms(self._lapped - self._started))

    def _close(self) -> None:
        now = time.perf_counter()
        self._laps[self.phase] = round(self._laps.get(self.phase, 0.0) + _ms(now - self._lapped), 3)
        self._lapped = now


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
