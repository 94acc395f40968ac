"""The requests of the last day: the same figure however much of it was counted beforehand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from flows_endpoint import traffic
from flows_endpoint.models import ExchangeRow, TrafficCount

pytestmark = pytest.mark.django_db
NOW = datetime(2031, 1, 2, 12, 34, 56, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def exchange(at: datetime, outcome: str = "ok", scheme: str = "citcall") -> None:
    ExchangeRow.objects.create(
        at=at,
        request_id="x",
        scheme=scheme,
        operation="asynccall",
        outcome=outcome,
        http_status=200,
        milliseconds=1.0,
        request_size=10,
    )


@pytest.fixture
def day(db: None) -> dict[tuple[str, str], int]:
    """Requests at every edge; returns what counts."""
    day_ago = NOW - timedelta(days=1)
    inside = [
        *(day_ago, datetime(2031, 1, 1, 12, 39, 59, 999999, tzinfo=UTC)),
        *(datetime(2031, 1, 1, 12, 40, tzinfo=UTC), datetime(2031, 1, 1, 12, 49, 59, tzinfo=UTC)),
        *(datetime(2031, 1, 2, 12, 19, 59, tzinfo=UTC), datetime(2031, 1, 2, 12, 20, tzinfo=UTC)),
        *(datetime(2031, 1, 2, 12, 30, tzinfo=UTC), NOW - timedelta(microseconds=1)),
    ]
    for at in inside:
        exchange(at)
    exchange(day_ago - timedelta(microseconds=1))
    exchange(NOW - timedelta(hours=3), "refused", "isu")
    exchange(NOW - timedelta(hours=3), "failed", "isu")
    return {("citcall", "ok"): 8, ("isu", "refused"): 1, ("isu", "failed"): 1}


def test_nothing_counted_beforehand(day: dict[tuple[str, str], int]) -> None:
    assert traffic.last_day(NOW) == day


def test_everything_counted_that_is_over(day: dict[tuple[str, str], int]) -> None:
    assert traffic.count_what_is_over(NOW) == 144
    assert traffic.last_day(NOW) == day
    assert traffic.count_what_is_over(NOW) == 0
    assert traffic.last_day(NOW + 5 * MINUTE)["citcall", "ok"] == 7
    assert traffic.last_day(NOW + 6 * MINUTE)["citcall", "ok"] == 5


def test_some_of_it_counted(day: dict[tuple[str, str], int]) -> None:
    """As after a worker was away: stretches in between are counted by who asks."""
    traffic.count_what_is_over(NOW)
    for number, span in enumerate(TrafficCount.objects.order_by("since")):
        if number % 3:
            span.delete()
    assert traffic.last_day(NOW) == day
    assert traffic.count_what_is_over(NOW) == 96


def test_what_is_counted_is_not_read_again(day: dict[tuple[str, str], int]) -> None:
    traffic.count_what_is_over(NOW)
    ExchangeRow.objects.filter(at=NOW - timedelta(hours=3)).delete()
    with CaptureQueriesContext(connection) as captured:
        assert traffic.last_day(NOW) == day
    assert len(captured.captured_queries) == 3


def test_minutes_that_may_still_get_rows_are_not_counted(db: None) -> None:
    """A request that came at 12:29 is written down when it is answered."""
    traffic.count_what_is_over(datetime(2031, 1, 2, 12, 31, tzinfo=UTC))
    exchange(datetime(2031, 1, 2, 12, 29, tzinfo=UTC))
    assert traffic.last_day(NOW)["citcall", "ok"] == 1
    assert traffic.count_what_is_over(datetime(2031, 1, 2, 12, 32, tzinfo=UTC)) == 1
    assert traffic.last_day(NOW)["citcall", "ok"] == 1


def test_old_counts_are_forgotten(day: dict[tuple[str, str], int]) -> None:
    traffic.count_what_is_over(NOW)
    later = NOW + timedelta(days=2)
    traffic.count_what_is_over(later)
    assert not TrafficCount.objects.filter(since__lt=later - timedelta(days=2)).exists()
    assert traffic.last_day(later) == {}
