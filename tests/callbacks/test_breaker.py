"""The circuit breaker: opens after ten outages, lets one probe through, closes on any answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from callbacks.breaker import CAREFUL, THRESHOLD, Breaker, rest

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def after(outages: int, at: datetime = NOW) -> Breaker:
    breaker = Breaker()
    for _ in range(outages):
        breaker = breaker.after_outage(at)
    return breaker


def test_ten_outages_in_a_row_open_it() -> None:
    assert THRESHOLD == 10
    assert [after(number).state for number in (0, 1, 9, 10)] == ["closed"] * 3 + ["open"]
    assert after(10).closes_at() == NOW + timedelta(seconds=30)
    assert after(9).closes_at() is None
    assert after(9).after_answer() == Breaker()


def test_from_the_third_outage_on_calls_go_one_at_a_time() -> None:
    assert [after(number).most_at_once for number in (0, 2, CAREFUL, 9, 10)] == [
        *(None, None),
        *(1, 1, 1),
    ]


def test_what_was_under_way_when_it_opened_neither_opens_it_again_nor_lengthens_it() -> None:
    later = after(10).after_outage(NOW + timedelta(seconds=20))
    assert (later.opened_at, later.times_opened, later.failures) == (NOW, 1, 11)


def test_a_probe_that_fails_doubles_the_rest_and_one_that_succeeds_ends_it() -> None:
    breaker, rests = after(10), []
    for _ in range(7):
        breaker = breaker.probing().after_outage(NOW)
        closes_at = breaker.closes_at()
        assert closes_at is not None
        rests.append((closes_at - NOW).total_seconds())
    assert rests == [60, 120, 240, 480, 600, 600, 600]
    assert breaker.probing().after_answer() == Breaker()


@given(st.integers(-5, 10_000))
def test_the_rest_is_bounded(times: int) -> None:
    assert timedelta(seconds=30) <= rest(times) <= timedelta(minutes=10)


class Turning(RuleBasedStateMachine):
    """Any order of outages, answers and probes."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker()
        self.now = NOW
        self.outages = 0

    @rule(seconds=st.integers(0, 700))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def outage(self) -> None:
        self.breaker = self.breaker.after_outage(self.now)
        self.outages += 1

    @rule()
    def answer(self) -> None:
        self.breaker = self.breaker.after_answer()
        self.outages = 0

    @precondition(lambda self: self.breaker.state == "open")
    @rule()
    def probe(self) -> None:
        closes_at = self.breaker.closes_at()
        assert closes_at is not None
        if self.now >= closes_at:
            self.breaker = self.breaker.probing()
            assert self.breaker.most_at_once == 1

    @invariant()
    def it_is_whole(self) -> None:
        assert self.breaker.failures == self.outages
        assert (self.breaker.state == "closed") == (self.breaker.opened_at is None)
        assert (self.breaker.state == "closed") == (self.outages < THRESHOLD)
        assert (self.breaker.times_opened > 0) == (self.outages >= THRESHOLD)


TestTurning = Turning.TestCase
