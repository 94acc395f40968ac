"""Time that passes when a test says so."""

from __future__ import annotations


class Clock:
    """Seconds that pass when told to."""

    def __init__(self, at: float = 1000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at
