"""How the attempts go, in numbers for Prometheus.

Counted once an attempt is recorded. Channels and outcomes are few and fixed: nothing a receiver
answers becomes a label.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from prometheus_client import Counter, Histogram

from callbacks.attempt import Call
from callbacks.channels import Result

#: Seconds. Most receivers answer at once; none is given more than fifteen.
_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15)

ATTEMPTS: Final = Counter(
    "sealgate_callback_attempts",
    "Attempts of deliveries by channel and outcome: delivered; outage (the receiver is away or "
    "overrun); refused (it answered otherwise); unsent (there was nothing to send or no way to).",
    ("channel", "outcome"),
)
SECONDS: Final = Histogram(
    "sealgate_callback_seconds",
    "Seconds from the start of an attempt's call to its end.",
    ("channel",),
    buckets=_BUCKETS,
)


def observe(channel: str, result: Result, call: Call | None) -> None:
    """Count one recorded attempt; ``call`` is None where nothing was sent."""
    _attempts(channel, _outcome(result, call)).inc()
    if call is not None:
        _seconds(channel).observe(call.timings.total / 1000)


# Finding a counter by its labels costs more than counting.
@cache
def _attempts(channel: str, outcome: str) -> Counter:
    return ATTEMPTS.labels(channel, outcome)


@cache
def _seconds(channel: str) -> Histogram:
    return SECONDS.labels(channel)


def _outcome(result: Result, call: Call | None) -> str:
    if call is None:
        return "unsent"
    if result.is_delivered:
        return "delivered"
    return "outage" if result.is_outage else "refused"
