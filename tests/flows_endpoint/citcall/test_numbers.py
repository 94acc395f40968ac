"""Calling numbers come from the pool, evenly, and never end like the one to avoid."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from flows_endpoint.citcall.numbers import draw, new_trxid

pytestmark = pytest.mark.once


def test_each_x_is_any_digit() -> None:
    drawn = {draw(["0215080XXXX"]) for _ in range(400)}
    assert all(len(number) == 11 and number.startswith("0215080") for number in drawn)
    assert all(number.isdigit() for number in drawn)
    assert len(drawn) > 350
    assert {number[7] for number in drawn} == set("0123456789")


def test_every_number_of_the_pool_is_as_likely() -> None:
    counts = Counter(draw(["0215080000X", "02160000042"])[:5] for _ in range(3000))
    assert counts["02150"] + counts["02160"] == 3000
    assert 150 < counts["02160"] < 400  # one in eleven


@pytest.mark.parametrize("pool", [["02150800042", "02150800043"], ["0215080004X"]])
def test_the_ending_to_avoid_never_comes(pool: list[str]) -> None:
    assert all(draw(pool, avoid="62160000042")[-4:] != "0042" for _ in range(60))


def test_leading_zeros_of_the_free_digits_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.randbelow", lambda _: 7)
    assert draw(["0215080XXXX"]) == "02150800007"


def test_transaction_ids_carry_the_vendors_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.randbelow", lambda _: 42)
    late = datetime(2026, 12, 31, 20, 5, 9, tzinfo=UTC)
    assert new_trxid(late) == "20270101030509" + "000000000042"
