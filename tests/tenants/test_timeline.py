"""The line of time: every bar, mark and label where it belongs, to a hundredth of a percent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from tenants.admin import timeline
from tenants.admin.timeline import Label, Life, Mark, Rect, draw

pytestmark = pytest.mark.once

NOON = datetime(2031, 3, 11, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def ago(days: float) -> datetime:
    return NOON - days * DAY


def life(version: int, *history: tuple[float, str], **more: Any) -> Life:
    """Return a version that came into each state so many days ago."""
    return Life(
        version=version,
        state=history[-1][1],
        history=tuple((ago(days), state) for days, state in history),
        **more,
    )


def shapes(bars: tuple[Rect, ...]) -> list[tuple[str, float, float]]:
    return [(bar.kind, bar.x, bar.width) for bar in bars]


def test_one_version_in_force() -> None:
    """9.5 days since midnight of its first day, and 15 % of that ahead: 10.925 days wide."""
    line = draw([life(1, (9.25, "active"))], NOON)
    assert line is not None
    assert line.now == Label(x=86.96, text="now", anchor="middle")
    assert (line.height, line.axis_y, line.left_out) == (82, 58, 0)
    (lane,) = line.lanes
    assert (lane.y, lane.name, lane.note) == (18, "Version 1", "active since 2 Mar")
    done, planned = lane.bars
    assert (done.kind, done.x, done.width, done.y, done.height) == ("active", 2.29, 84.67, 38, 12)
    assert (planned.kind, planned.x, planned.width) == ("active planned", 86.96, 13.04)
    assert done.title == "active, 2031-03-02 06:00 to 2031-03-11 12:00 UTC"
    assert done.classes == "sg-t-active"
    assert planned.classes == "sg-t-active sg-t-planned"
    assert (lane.days, lane.marks, line.overlaps) == ((), (), ())


def test_a_rotation_with_its_overlap() -> None:
    """20 days back (10.5 + 9.5), 10 days ahead and 4 % more: x is (days + 20.5) / 30.9."""
    old = life(1, (20, "active"), (5, "retiring"), accept_until=NOON + 10 * DAY)
    new = life(2, (8, "staged"), (5, "active"))
    line = draw([new, old], NOON)
    assert line is not None
    above, below = line.lanes
    assert (above.name, below.name) == ("Version 2", "Version 1")
    assert (above.y, below.y, line.axis_y, line.height) == (18, 58, 98, 122)
    assert shapes(above.bars) == [
        ("staged", 40.45, 9.71),
        ("active", 50.16, 16.18),
        ("active planned", 66.34, 33.66),
    ]
    assert shapes(below.bars) == [
        ("active", 1.62, 48.54),
        ("retiring", 50.16, 16.18),
        ("retiring planned", 66.34, 32.37),
    ]
    assert [bar.y for bar in below.bars] == [78, 78, 78]
    assert below.note == "retiring, opens until 21 Mar"
    assert line.overlaps == (
        Rect(
            kind="overlap",
            x=50.16,
            width=48.55,
            y=18,
            height=80,
            title="Version 1 still opens, 2031-03-06 12:00 to 2031-03-21 12:00 UTC",
        ),
    )
    assert line.description == (
        "Version 2: active since 6 Mar. Version 1: retiring, opens until 21 Mar."
    )


def test_what_ended_is_a_line_until_its_material_is_erased() -> None:
    """10.5 days back; 8 days ahead and 4 % more: x is (days + 10.5) / 18.82."""
    kept = life(3, (10, "staged"), (4, "revoked"))
    waiting = life(2, (10, "staged"), (6, "retired"), destroy_at=NOON + 8 * DAY)
    gone = life(1, (10, "staged"), (8, "retired"), (1, "destroyed"))
    line = draw([kept, waiting, gone], NOON)
    assert line is not None
    first, second, third = line.lanes
    assert shapes(first.bars) == [("staged", 2.66, 31.88), ("revoked", 34.54, 21.25)]
    assert (first.bars[1].y, first.bars[1].height) == (42, 4)
    assert first.marks == (Mark("revoked", 34.54, 44, "Revoked 2031-03-07 12:00 UTC"),)
    assert shapes(second.bars) == [
        ("staged", 2.66, 21.25),
        ("retired", 23.91, 31.88),
        ("retired planned", 55.79, 42.51),
    ]
    assert second.marks == (
        Mark("destruction", 98.3, 84, "Material is erased 2031-03-19 12:00 UTC"),
    )
    assert shapes(third.bars) == [("staged", 2.66, 10.62), ("retired", 13.28, 37.2)]
    assert third.marks == (Mark("destroyed", 50.48, 124, "Material erased 2031-03-10 12:00 UTC"),)
    assert [lane.note for lane in line.lanes] == [
        "revoked 7 Mar",
        "retired 5 Mar, to be erased 19 Mar",
        "destroyed 10 Mar",
    ]


def test_uses_by_day_stand_on_one_line_and_share_one_scale() -> None:
    """Days are 1 / 10.925 = 9.15 % wide, less a gap on both sides; the most are 17 pixels high."""
    new = life(2, (1, "active"), uses={date(2031, 3, 11): 10})
    old = life(
        1, (9.25, "active"), (1, "retired"), uses={date(2031, 3, 2): 340, date(2031, 3, 9): 17}
    )
    line = draw([new, old], NOON)
    assert line is not None
    above, below = line.lanes
    assert (above.y, below.y, line.axis_y) == (18, 76, 134)
    assert below.days == (
        Rect("day", 0.08, 8.99, 111, 17, "2031-03-02: 340 uses"),
        Rect("day", 64.15, 9.0, 126, 2, "2031-03-09: 17 uses"),
    )
    assert above.days == (Rect("day", 82.46, 8.99, 68, 2, "2031-03-11: 10 uses"),)
    assert {round(day.y + day.height, 1) for day in below.days} == {76 + 52}


@pytest.mark.parametrize(("count", "titles"), [(1, ["2031-03-11: 1 use"]), (0, [])])
def test_single_uses_and_none(count: int, titles: list[str]) -> None:
    line = draw([life(1, (9.25, "active"), uses={date(2031, 3, 11): count})], NOON)
    assert line is not None
    assert [day.title for day in line.lanes[0].days] == titles


def test_last_use_and_expiry_are_marked() -> None:
    line = draw([life(1, (9.25, "active"), last_used_at=ago(0.5), expires_at=NOON + DAY)], NOON)
    assert line is not None
    (lane,) = line.lanes
    assert lane.marks == (
        Mark("expiry", 96.11, 44, "Expires 2031-03-12 12:00 UTC"),
        Mark("use", 82.38, 44, "Last used 2031-03-11 00:00 UTC"),
    )
    assert lane.note == "active since 2 Mar, expires 12 Mar"


def test_plans_far_away_do_not_flatten_the_rest() -> None:
    """What lies more than 97 days ahead is told in words; the line keeps its scale."""
    near = draw([life(1, (9.25, "active"))], NOON)
    far = draw([life(1, (9.25, "active"), expires_at=NOON + 98 * DAY)], NOON)
    assert near is not None
    assert far is not None
    assert far.now == near.now
    assert far.lanes[0].bars == near.lanes[0].bars
    assert far.lanes[0].marks == ()
    assert far.lanes[0].note == "active since 2 Mar, expires 17 Jun"
    next_year = draw([life(1, (9.25, "active"), expires_at=NOON + 730 * DAY)], NOON)
    assert next_year is not None
    assert next_year.lanes[0].note == "active since 2 Mar, expires 10 Mar 2033"


def test_the_past_is_cut_at_ninety_days() -> None:
    """90.5 days back, 13.575 ahead."""
    line = draw([life(1, (400, "active"))], NOON)
    assert line is not None
    assert shapes(line.lanes[0].bars) == [("active", 0.0, 86.96), ("active planned", 86.96, 13.04)]
    assert line.lanes[0].note == "active since 4 Feb 2030"
    assert [tick.text for tick in line.ticks] == ["1 Jan", "1 Feb", "1 Mar"]


def test_a_version_made_this_minute() -> None:
    """Half a day since midnight, and a day ahead."""
    line = draw([life(1, (0, "staged"))], NOON)
    assert line is not None
    assert line.now == Label(33.33, "now", "middle")
    assert shapes(line.lanes[0].bars) == [("staged planned", 33.33, 66.67)]


def test_an_overlap_that_is_over_and_not_yet_swept() -> None:
    line = draw([life(1, (9.25, "active"), (3, "retiring"), accept_until=ago(1))], NOON)
    assert line is not None
    assert shapes(line.lanes[0].bars) == [("active", 2.29, 57.21), ("retiring", 59.5, 18.3)]


def test_what_ended_long_ago_is_left_to_the_table() -> None:
    ended = [life(n, (500, "staged"), (91, "retired")) for n in (2, 1)]
    waiting = life(3, (500, "staged"), (91, "retired"), destroy_at=NOON + DAY)
    line = draw([life(4, (9, "active")), waiting, *ended], NOON)
    assert line is not None
    assert [lane.name for lane in line.lanes] == ["Version 4", "Version 3"]
    assert line.left_out == 2
    assert draw(ended, NOON) is None
    assert draw([], NOON) is None


def test_at_most_six_are_drawn() -> None:
    line = draw([life(n, (n, "staged")) for n in range(9, 0, -1)], NOON)
    assert line is not None
    assert [lane.name for lane in line.lanes] == [f"Version {n}" for n in range(9, 3, -1)]
    assert line.left_out == 3


@pytest.mark.parametrize(
    ("days", "texts"),
    [
        (3, ["8 Mar", "9 Mar", "10 Mar", "11 Mar", "12 Mar"]),
        (9.25, ["3 Mar", "5 Mar", "7 Mar", "9 Mar", "11 Mar"]),
        (30, ["10 Feb", "17 Feb", "24 Feb", "3 Mar", "10 Mar"]),
        (60, ["13 Jan", "27 Jan", "10 Feb", "24 Feb", "10 Mar"]),
    ],
)
def test_ticks_are_few_and_round(days: float, texts: list[str]) -> None:
    line = draw([life(1, (days, "active"))], NOON)
    assert line is not None
    assert [tick.text for tick in line.ticks] == texts
    assert [tick.is_minor for tick in line.ticks] == [bool(n % 2) for n in range(len(texts))]


def test_labels_stay_within_the_picture() -> None:
    line = draw([life(1, (3, "active"))], NOON)
    assert line is not None
    assert line.now.x == 77.78
    assert [(tick.x, tick.anchor) for tick in line.ticks] == [
        (0.0, "start"),
        (22.22, "middle"),
        (44.44, "middle"),
        (66.67, "middle"),
        (88.89, "middle"),
    ]


def test_every_shape_lies_within_the_picture(make_line: Callable[[], timeline.Timeline]) -> None:
    line = make_line()
    rects = [*line.overlaps, *(r for lane in line.lanes for r in (*lane.bars, *lane.days))]
    assert len(rects) > 100
    assert all(rect.x >= 0 and rect.x + rect.width <= 100.01 for rect in rects)
    assert all(rect.y >= 18 and rect.y + rect.height <= line.axis_y for rect in rects)
    assert all(0 <= mark.x <= 100 for lane in line.lanes for mark in lane.marks)


@pytest.fixture
def make_line() -> Callable[[], timeline.Timeline]:
    def make() -> timeline.Timeline:
        uses = {(ago(n)).date(): n + 1 for n in range(120)}
        line = draw(
            [
                life(4, (3, "staged"), expires_at=NOON + 96 * DAY, uses=uses),
                life(3, (80, "staged"), (40, "active"), uses=uses, last_used_at=NOON),
                life(2, (300, "active"), (40, "retiring"), accept_until=NOON + 50 * DAY),
                life(1, (300, "active"), (89, "revoked"), destroy_at=NOON + 30 * DAY, uses=uses),
            ],
            NOON,
        )
        assert line is not None
        return line

    return make
