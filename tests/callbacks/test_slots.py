"""Places for calls: one endpoint cannot have them all, and the slow not more than half."""

from __future__ import annotations

import pytest

from callbacks.slots import SLOW_SECONDS, Slots

pytestmark = pytest.mark.once


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def fill(slots: Slots, endpoint: int, limit: int = 256) -> list[float]:
    begun = []
    while slots.room(endpoint) > 0:
        begun.append(slots.begin(endpoint, limit))
    return begun


def test_an_endpoint_takes_half_of_what_is_free_at_a_time() -> None:
    slots = Slots(64, Clock())
    assert [slots.free, slots.room(1)] == [64, 32]
    for _ in range(32):
        slots.begin(1, 256)
    assert [slots.free, slots.room(1), slots.room(2)] == [32, 16, 16]
    assert Slots(1, Clock()).room(1) == 1


def test_its_own_limit_holds() -> None:
    slots = Slots(64, Clock())
    begun = [slots.begin(1, 3) for _ in range(3)]
    assert slots.room(1) == 0
    slots.end(1, begun[0], is_outage=False)
    assert slots.room(1) == 1


def test_the_slow_share_half_of_all() -> None:
    clock = Clock()
    slots = Slots(16, clock)
    for endpoint in (1, 2, 3):
        fill(slots, endpoint, limit=4)
    clock.now += SLOW_SECONDS
    assert slots.free == 4
    assert [slots.room(endpoint) for endpoint in (1, 2, 3, 4)] == [0, 0, 0, 2]


def test_an_endpoint_stays_slow_until_a_call_was_quick() -> None:
    clock = Clock()
    slots = Slots(4, clock)
    first = slots.begin(1, 256)
    clock.now += SLOW_SECONDS
    slots.end(1, first, is_outage=False)
    assert slots.room(1) == 2
    begun = [slots.begin(1, 256), slots.begin(1, 256)]
    assert (slots.free, slots.room(1), slots.room(2)) == (2, 0, 1)
    slots.end(1, begun[0], is_outage=False)
    assert slots.room(1) == 2
    slots.end(1, begun[1], is_outage=False)
    assert slots.free == 4


def test_one_that_is_away_is_slow_however_fast_it_fails() -> None:
    slots = Slots(4, Clock())
    slots.end(1, slots.begin(1, 256), is_outage=True)
    fill(slots, 1)
    assert (slots.free, slots.room(2)) == (2, 1)
