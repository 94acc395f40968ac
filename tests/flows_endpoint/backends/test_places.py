"""Upstream calls under way: never all places for one flow, nor for those that are slow."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from callbacks.errors import Kind, TransportError
from flows_endpoint.backends.places import NO_PLACE, Places
from flows_endpoint.exchange import Reason, Refusal


class Clock:
    """Stands still until told otherwise."""

    at = 0.0

    def __call__(self) -> float:
        return self.at


def take(places: Places, flow: str, until: ExitStack) -> int:
    """Take places for ``flow`` until there is none; return how many there were."""
    for count in range(100):
        try:
            until.enter_context(places.taken(flow))
        except Refusal as refusal:
            assert (refusal.reason, refusal.step) == (Reason.UPSTREAM_DOWN, NO_PLACE)
            return count
    raise AssertionError("there is no limit")


def test_a_flow_alone_gets_three_quarters_and_the_next_the_rest() -> None:
    places = Places(16, Clock())
    with ExitStack() as until:
        assert take(places, "one", until) == 12
        assert take(places, "other", until) == 4
        assert take(places, "third", until) == 0
    with ExitStack() as until:
        assert take(places, "third", until) == 12


def test_slow_ones_share_half() -> None:
    clock = Clock()
    places = Places(16, clock)
    with ExitStack() as until:
        until.enter_context(places.taken("one"))
        until.enter_context(places.taken("other"))
        clock.at = 1.0
        assert take(places, "one", until) + take(places, "other", until) == 6
        assert take(places, "third", until) == 8


def test_one_whose_last_call_failed_counts_as_slow_until_one_is_well() -> None:
    places = Places(16, Clock())
    with pytest.raises(TransportError), places.taken("one"):
        raise TransportError(Kind.CONNECT, "no")
    with ExitStack() as until:
        assert take(places, "one", until) == 8
    with ExitStack() as until:
        assert take(places, "one", until) == 12


@pytest.mark.parametrize("kind", [Kind.BAD_URL, Kind.REFUSED_ADDRESS, Kind.TOO_LARGE])
def test_what_fails_at_once_for_what_is_set_or_said_is_not_slow(kind: Kind) -> None:
    places = Places(16, Clock())
    with pytest.raises(TransportError), places.taken("one"):
        raise TransportError(kind, "no")
    with ExitStack() as until:
        assert take(places, "one", until) == 12


def test_the_least_there_can_be_still_serves() -> None:
    places = Places(2, Clock())
    with places.taken("one"), places.taken("other"), ExitStack() as until:
        assert take(places, "third", until) == 0
    with places.taken("one"):
        pass
