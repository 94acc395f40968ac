"""The token bucket: never more than the rate and one burst, whatever the order of calls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbacks.bucket import Bucket

pytestmark = pytest.mark.once

NOW = datetime(2026, 3, 1, tzinfo=UTC)
rates = st.floats(0.01, 1000)
bursts = st.integers(1, 500)
steps = st.lists(st.tuples(st.floats(-5, 60), st.integers(0, 100)), max_size=60)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_it_begins_full_and_fills_at_its_rate() -> None:
    taken, bucket = Bucket(rate=2, burst=5).take(9, NOW)
    assert (taken, bucket.tokens) == (5, 0)
    assert bucket.take(9, NOW)[0] == 0
    assert bucket.next_at(NOW) == later(0.5)
    assert bucket.take(9, later(0.49))[0] == 0
    assert bucket.take(9, later(0.5))[0] == 1
    assert bucket.take(9, later(1.6))[0] == 3
    assert bucket.take(9, later(3600))[0] == 5
    assert bucket.take(2, later(3600))[1].tokens == 3


def test_a_clock_that_is_behind_adds_nothing_and_takes_nothing_away() -> None:
    _, bucket = Bucket(rate=1, burst=1).take(1, NOW)
    taken, behind = bucket.take(1, later(-30))
    assert (taken, behind.tokens, behind.at) == (0, 0, NOW)
    assert behind.next_at(later(-30)) == later(1)
    assert behind.take(1, later(1))[0] == 1


@given(rates, bursts, steps)
def test_no_more_goes_through_than_the_rate_and_a_burst(
    rate: float, burst: int, steps: list[tuple[float, int]]
) -> None:
    bucket, at, latest, total = Bucket(rate=rate, burst=burst), 0.0, 0.0, 0
    for seconds, wanted in steps:
        at = max(0.0, at + seconds)  # clocks of several machines: back and forth
        latest = max(latest, at)
        taken, bucket = bucket.take(wanted, later(at))
        assert 0 <= taken <= wanted
        assert 0 <= bucket.tokens <= burst
        total += taken
        assert total <= burst + latest * rate + 1e-3


@given(rates, bursts)
def test_at_the_time_it_names_there_is_a_token(rate: float, burst: int) -> None:
    _, empty = Bucket(rate=rate, burst=burst).take(burst, NOW)
    at = empty.next_at(NOW)
    assert at > NOW
    assert empty.take(1, at + timedelta(microseconds=2))[0] == 1
    assert empty.take(1, NOW + (at - NOW) * 0.99)[0] == 0
