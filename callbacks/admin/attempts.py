"""The attempts of one delivery as lines of time: where each spent its milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from callbacks.models import Attempt, Delivery
from tenants import at_rest

#: Most attempts shown, the newest.
MOST: Final = 50
_PHASES: Final = (
    ("dns", "Name look-up", "dns_ms"),
    ("connect", "Connection", "connect_ms"),
    ("tls", "TLS", "tls_ms"),
    ("wait", "First byte", "first_byte_ms"),
    ("rest", "Rest", "rest_ms"),
)


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase: ``x`` and ``width`` in percent of the longest attempt."""

    kind: str
    title: str
    milliseconds: float
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Line:
    """One attempt. ``answer`` is None for who may not read it, and where there was none."""

    attempt: Attempt
    phases: tuple[Phase, ...]
    answer: str | None

    @property
    def said(self) -> str:
        """Return what became of it in words."""
        return self.attempt.error or "taken"


def lines(delivery: Delivery, *, may_read: bool) -> Sequence[Line]:
    """Return the attempts of ``delivery``, the newest first."""
    rows = delivery.tries.order_by("-number")
    tries = list((rows if may_read else rows.defer("answer"))[:MOST])
    longest = max((_length(each) for each in tries), default=0.0) or 1.0
    return [
        Line(each, _phases(each, longest), _answer(each) if may_read else None) for each in tries
    ]


def _length(attempt: Attempt) -> float:
    return sum(getattr(attempt, column) or 0.0 for _, _, column in _PHASES)


def _phases(attempt: Attempt, longest: float) -> tuple[Phase, ...]:
    phases, x = [], 0.0
    for kind, title, column in _PHASES:
        taken = getattr(attempt, column)
        if taken is None:
            continue
        width = round(100 * taken / longest, 2)
        phases.append(Phase(kind, title, taken, round(x, 2), width))
        x += width
    return tuple(phases)


def _answer(attempt: Attempt) -> str | None:
    if not attempt.answer:
        return None
    try:
        return at_rest.open_sealed(attempt.answer, attempt.at_rest_context).decode(
            "utf-8", "replace"
        )
    except at_rest.AtRestError as error:
        return f"(cannot be read: {error.code})"
