"""Twelve further tries over three days, and then no more."""

from __future__ import annotations

from datetime import timedelta

import pytest

from callbacks import schedule

NOMINAL = {
    1: timedelta(seconds=5),
    2: timedelta(seconds=30),
    3: timedelta(minutes=2),
    4: timedelta(minutes=10),
    5: timedelta(minutes=30),
    6: timedelta(hours=1),
    7: timedelta(hours=2),
    8: timedelta(hours=4),
    9: timedelta(hours=8),
    10: timedelta(hours=12),
    11: timedelta(hours=20),
    12: timedelta(hours=24),
}


@pytest.mark.parametrize(("attempt", "nominal"), NOMINAL.items())
def test_each_wait_is_the_nominal_one_give_or_take_a_fifth(
    attempt: int, nominal: timedelta
) -> None:
    waits = {schedule.wait_after(attempt) for _ in range(50)}
    assert None not in waits
    assert all(0.8 * nominal <= wait <= 1.2 * nominal for wait in waits if wait)
    assert len(waits) > 10


def test_after_the_thirteenth_attempt_there_is_none() -> None:
    assert schedule.MOST_ATTEMPTS == 13
    assert schedule.wait_after(13) is None
    assert schedule.wait_after(14) is None
