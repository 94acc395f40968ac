"""Twelve further tries over three days, each anywhere in its step, and then no more."""

from __future__ import annotations

from datetime import timedelta
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbacks import schedule
from callbacks.schedule import SHORTEST, WAITS, most_attempts, wait_after

pytestmark = pytest.mark.once

GRID = list(accumulate(WAITS))
draws = st.floats(0, 1)
own = st.lists(st.integers(1, 86_400), min_size=1, max_size=20)


def seconds(attempt: int, elapsed: float, draw: float, waits: list[int] | None = None) -> float:
    wait = wait_after(attempt, timedelta(seconds=elapsed), waits or (), draw=draw)
    assert wait is not None
    return wait.total_seconds()


def test_the_steps_are_those_of_three_days() -> None:
    assert WAITS == (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 43200, 72000, 86400)
    assert timedelta(seconds=sum(WAITS)) == timedelta(hours=71, minutes=42, seconds=35)
    assert most_attempts() == 13
    assert most_attempts([5, 60]) == 3


def test_after_the_last_step_there_is_none() -> None:
    assert wait_after(13) is None
    assert wait_after(14) is None
    assert wait_after(2, waits=[5]) is None
    assert wait_after(1, waits=[5]) is not None


@given(st.lists(draws, min_size=12, max_size=12))
def test_each_try_falls_in_its_own_step_of_the_grid(drawn: list[float]) -> None:
    """Played through without delay: no step is left out, and none drifts away."""
    at = 0.0
    for number, draw in enumerate(drawn, start=1):
        at += seconds(number, at, draw)
        begin, end = ([0, *GRID])[number - 1], GRID[number - 1]
        assert begin <= at + 1e-6
        assert at <= max(end, begin + SHORTEST * number) + 1e-6


@given(st.integers(1, 12), draws)
def test_full_jitter_uses_the_whole_step(attempt: int, draw: float) -> None:
    elapsed = float(sum(WAITS[: attempt - 1]))
    wait = seconds(attempt, elapsed, draw)
    assert wait == pytest.approx(max(SHORTEST, draw * WAITS[attempt - 1]), abs=1e-5)


@given(st.integers(1, 20), st.floats(0, 1e7), draws, own)
def test_a_wait_is_never_short_and_never_longer_than_two_steps(
    attempt: int, elapsed: float, draw: float, waits: list[int]
) -> None:
    wait = wait_after(attempt, timedelta(seconds=elapsed), waits, draw=draw)
    if attempt > len(waits):
        assert wait is None
        return
    assert wait is not None
    assert SHORTEST <= wait.total_seconds() <= sum(waits[:attempt]) + SHORTEST


@given(st.integers(2, 12), draws)
def test_what_comes_late_draws_its_step_and_bursts_nothing(attempt: int, draw: float) -> None:
    late = seconds(attempt, 10 * 86_400.0, draw)
    assert late == pytest.approx(max(SHORTEST, draw * WAITS[attempt - 1]), abs=1e-5)


def test_draws_differ() -> None:
    waits = [wait_after(6, timedelta(seconds=GRID[4])) for _ in range(200)]
    numbers = sorted(wait.total_seconds() for wait in waits if wait)
    assert len(set(numbers)) > 190
    assert numbers[0] < 600
    assert numbers[-1] > 3000
    assert numbers[0] >= schedule.SHORTEST
