"""How many requests the last day saw, by contract and outcome.

Counting a day of requests takes as long as there are many. So the worker counts every ten minutes
once, when they are over, and whoever asks adds what is not counted yet: the minutes the day began
in, and what came since. Without a worker the answer is the same, and slow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count

from flows_endpoint.models import ExchangeRow, TrafficCount

_DAY: Final = timedelta(days=1)
_SPAN: Final = timedelta(minutes=10)
#: A request is written down when it is answered: so long after it came, at most.
_SETTLED: Final = timedelta(minutes=2)

#: Requests by contract and outcome.
Counts = Counter[tuple[str, str]]


def last_day(now: datetime) -> Counts:
    """Return the requests of the 24 hours before ``now``."""
    start = now - _DAY
    total: Counts = Counter()
    counted = list(
        TrafficCount.objects.filter(since__gte=start, since__lte=now - _SPAN).order_by("since")
    )
    for span in counted:
        for scheme, outcomes in span.counts.items():
            for outcome, count in outcomes.items():
                total[scheme, outcome] += count
    for since, until in _between([span.since for span in counted], start, now):
        total += _count(since, until)
    return total


def count_what_is_over(now: datetime) -> int:
    """Count the ten minutes of the last day that are over and not counted; returns how many.

    May run late, twice, or at the same time as another one.
    """
    newest = _begin(now - _SETTLED)
    spans = [newest - number * _SPAN for number in range(1, _DAY // _SPAN + 1)]
    known = set(
        TrafficCount.objects.filter(since__in=spans).values_list("since", flat=True).order_by()
    )
    missing = [since for since in spans if since not in known]
    for since in missing:
        counts: dict[str, dict[str, int]] = {}
        for (scheme, outcome), count in _count(since, since + _SPAN).items():
            counts.setdefault(scheme, {})[outcome] = count
        TrafficCount.objects.bulk_create(
            [TrafficCount(since=since, counts=counts)], ignore_conflicts=True
        )
    TrafficCount.objects.filter(since__lt=now - 2 * _DAY).delete()
    return len(missing)


def _begin(moment: datetime) -> datetime:
    """Return when the ten minutes that ``moment`` is in began."""
    return moment.replace(minute=moment.minute // 10 * 10, second=0, microsecond=0)


def _between(
    spans: list[datetime], start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """Yield the stretches from ``start`` to ``end`` that are in none of ``spans``."""
    for since in spans:
        if start < since:
            yield start, since
        start = since + _SPAN
    if start < end:
        yield start, end


def _count(since: datetime, until: datetime) -> Counts:
    # Both ends, always: with one of them open SQLite reads an index from end to end instead.
    rows = ExchangeRow.objects.filter(at__gte=since, at__lt=until)
    counted = rows.order_by().values_list("scheme", "outcome").annotate(Count("pk"))
    return Counter({(scheme, outcome): count for scheme, outcome, count in counted})
