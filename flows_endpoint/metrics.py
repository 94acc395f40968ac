"""What happens at the endpoint, in numbers for Prometheus.

Counted from the entries of the exchange log by the thread that writes it
(:mod:`flows_endpoint.log_writer`), so a request pays nothing for it. Every label has a fixed,
small set of values: nothing a stranger sends becomes one.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections import Counter as Tally
from collections.abc import Sequence
from typing import Final

from prometheus_client import Counter, Histogram

from flows_endpoint.log_entries import Entry

#: Seconds. Most answers take some milliseconds; an upstream may take ten seconds.
_BUCKETS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_DAY: Final = 86_400.0
#: Ages of a key version, in days, up to which it counts under each name.
_AGES: Final = (1, 7, 30, 90, 365)
_AGE_NAMES: Final = ("1d", "7d", "30d", "90d", "365d", "older")

REQUESTS: Final = Counter(
    "sealgate_requests",
    "Requests by contract, operation and what became of them; reason is empty for served ones.",
    ("scheme", "operation", "outcome", "reason"),
)
SECONDS: Final = Histogram(
    "sealgate_request_seconds",
    "Seconds from a request's arrival in the product to its answer.",
    ("scheme",),
    buckets=_BUCKETS,
)
OPENS: Final = Counter(
    "sealgate_key_opens",
    "Requests a key version helped to open, by its purpose, its state and its age since it was "
    "made: up to so many days, or older.",
    ("scheme", "purpose", "state", "age"),
)
DROPPED: Final = Counter(
    "sealgate_log_rows_dropped", "Rows of the exchange log that were given up.", ("cause",)
)


def observe(entries: Sequence[Entry]) -> None:
    """Count ``entries``."""
    now = time.time()
    requests: Tally[tuple[str, str, str, str]] = Tally()
    opens: Tally[tuple[str, str, str, str]] = Tally()
    for entry in entries:
        requests[entry.scheme, entry.operation, entry.outcome, entry.reason] += 1
        SECONDS.labels(entry.scheme).observe(entry.milliseconds / 1000)
        for key in entry.keys:
            opens[entry.scheme, key.purpose, key.state, _age(now - key.made_at)] += 1
    for labels, count in requests.items():
        REQUESTS.labels(*labels).inc(count)
    for labels, count in opens.items():
        OPENS.labels(*labels).inc(count)


def _age(seconds: float) -> str:
    return _AGE_NAMES[bisect_right(_AGES, seconds / _DAY)]
