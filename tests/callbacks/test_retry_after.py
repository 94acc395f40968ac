"""Retry-After in both its forms, within bounds; anything else says nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callbacks import retry_after

pytestmark = pytest.mark.once

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("0", 1),
        ("86400", 86_400),
        ("86401", 86_400),
        ("9" * 5000, 86_400),
        ("Sun, 01 Mar 2026 12:05:00 GMT", 300),
        ("Sunday, 01-Mar-26 12:05:00 GMT", 300),
        ("Sun Mar  1 12:05:00 2026", 300),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 1),
        ("Wed, 01 Apr 2026 12:00:00 GMT", 86_400),
    ],
)
def test_what_is_asked_for_within_bounds(value: str, seconds: int) -> None:
    assert retry_after.read(value, NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize("value", [None, "", " ", "soon", "-5", "1.5", "٣", "12 seconds", "\x00"])
def test_anything_else_says_nothing(value: str | None) -> None:
    assert retry_after.read(value, NOW) is None


@given(st.text(max_size=40))
def test_no_text_breaks_the_bounds(value: str) -> None:
    asked = retry_after.read(value, NOW)
    assert asked is None or timedelta(seconds=1) <= asked <= timedelta(hours=24)
