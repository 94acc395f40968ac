"""The versions of one secret along a line of time: where to draw what. Pure; draws nothing itself.

A lane for each version, the newest on top: a bar for what it could do when, the days on which it
was used below it, and marks. What lies behind the line *now* has happened; what lies after it is
planned. Across, everything is in percent of the width, so that one picture fits a desk and a
phone; down, in pixels. The template ``admin/tenants/timeline.html`` draws it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

_DAY: Final = timedelta(days=1)
#: How far back and ahead a line reaches at most. Ahead lies at least a day, and this share of
#: what lies behind.
LONGEST_PAST: Final = 90 * _DAY
LONGEST_FUTURE: Final = 97 * _DAY
_AHEAD: Final = 0.15
#: Most lanes of one line; older versions stand in the table.
MOST_LANES: Final = 6
#: What is narrower than this share of the width, in percent, is not drawn.
_TOO_NARROW: Final = 0.1
_GAP: Final = 0.08

#: Pixels: above the first lane, a lane, its bar within it, the days below the bar, the axis.
TOP: Final = 18
LANE: Final = 58
BAR_TOP: Final = 20
BAR: Final = 12
DAYS_BOTTOM: Final = 52
DAYS: Final = 17
AXIS: Final = 24
_FLAT_LANE: Final = 40
_LINE: Final = 4  # an ended version is a line, not a bar

_ENDED: Final = ("retired", "revoked")
_HAPPENED: Final = {"revoked": "Revoked", "destroyed": "Material erased"}
_Span = tuple[datetime, datetime]
_TICK_DAYS: Final = (1, 2, 7, 14)
_MOST_TICKS: Final = 7


@dataclass(frozen=True, slots=True)
class Life:
    """What is known of one version. ``history`` is when it came into which state, in order."""

    version: int
    state: str
    history: tuple[tuple[datetime, str], ...]
    accept_until: datetime | None = None
    expires_at: datetime | None = None
    destroy_at: datetime | None = None
    last_used_at: datetime | None = None
    uses: Mapping[date, int] | None = None


@dataclass(frozen=True, slots=True)
class Rect:
    """A bar: ``x`` and ``width`` in percent, ``y`` and ``height`` in pixels."""

    kind: str
    x: float
    width: float
    y: float
    height: float
    title: str = ""

    @property
    def classes(self) -> str:
        """Return the classes of the style sheet for this kind."""
        return " ".join(f"sg-t-{part}" for part in self.kind.split())


@dataclass(frozen=True, slots=True)
class Mark:
    """A sign at one moment: ``expiry``, ``destruction``, ``revoked``, ``destroyed`` or ``use``."""

    kind: str
    x: float
    y: float
    title: str


@dataclass(frozen=True, slots=True)
class Label:
    """A text at ``x`` percent; ``anchor`` keeps it within the picture."""

    x: float
    text: str
    anchor: str
    is_minor: bool = False


@dataclass(frozen=True, slots=True)
class Lane:
    """One version: its name, where it stands in words, and its shapes."""

    y: int
    name: str
    note: str
    bars: tuple[Rect, ...]
    days: tuple[Rect, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """A drawing. ``overlaps`` are the times in which an old version still opens beside the new."""

    height: int
    axis_y: int
    now: Label
    lanes: tuple[Lane, ...]
    overlaps: tuple[Rect, ...]
    ticks: tuple[Label, ...]
    description: str
    left_out: int


def draw(lives: Sequence[Life], now: datetime) -> Timeline | None:
    """Return the drawing of versions given from the newest on; None where there are none."""
    shown = [life for life in lives if _matters(life, now)][:MOST_LANES]
    if not shown:
        return None
    scale = _Scale.over(shown, now)
    most = max((max(_uses_within(life, scale).values(), default=0) for life in shown), default=0)
    step = LANE if most else _FLAT_LANE
    axis_y = TOP + step * len(shown)
    lanes = tuple(
        _lane(life, TOP + step * number, most, scale) for number, life in enumerate(shown)
    )
    return Timeline(
        height=axis_y + AXIS,
        axis_y=axis_y,
        now=scale.label(now, "now"),
        lanes=lanes,
        overlaps=tuple(_overlaps(shown, axis_y, scale)),
        ticks=tuple(_ticks(scale)),
        description=" ".join(f"{lane.name}: {lane.note}." for lane in lanes),
        left_out=len(lives) - len(shown),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    start: datetime
    end: datetime
    now: datetime

    @classmethod
    def over(cls, lives: Sequence[Life], now: datetime) -> _Scale:
        """Return the scale that shows what can be shown of ``lives``."""
        first = min(life.history[0][0] for life in lives)
        start = _midnight(max(first, now - LONGEST_PAST))
        plans = [
            at
            for life in lives
            for at in (life.accept_until, life.destroy_at, life.expires_at)
            if at is not None and now < at <= now + LONGEST_FUTURE
        ]
        ahead = max([(now - start) * _AHEAD, _DAY, *((at - now) * 1.04 for at in plans)])
        return cls(start=start, end=now + ahead, now=now)

    def x(self, at: datetime) -> float:
        """Return where ``at`` lies, in percent."""
        return round(100 * ((at - self.start) / (self.end - self.start)), 2)

    def has(self, at: datetime | None) -> bool:
        return at is not None and self.start <= at <= self.end

    def rect(self, kind: str, span: _Span, *, y: float, height: float, title: str) -> Rect | None:
        """Return the bar of a span of time, cut to the picture; None if too narrow."""
        x = max(self.x(span[0]), 0.0)
        width = round(min(self.x(span[1]), 100.0) - x, 2)
        return Rect(kind, x, width, y, height, title) if width >= _TOO_NARROW else None

    def label(self, at: datetime, text: str, *, is_minor: bool = False) -> Label:
        x = self.x(at)
        anchor = "start" if x < 4 else "end" if x > 96 else "middle"
        return Label(x, text, anchor, is_minor)


def _matters(life: Life, now: datetime) -> bool:
    """Return whether a version is in force, waits for something, or ended lately."""
    ended = life.state in {*_ENDED, "destroyed"}
    return not ended or life.destroy_at is not None or life.history[-1][0] > now - LONGEST_PAST


def _lane(life: Life, y: int, most: int, scale: _Scale) -> Lane:
    middle = y + BAR_TOP + BAR / 2
    marks = [
        Mark(kind, scale.x(at), middle, f"{what} {at:%Y-%m-%d %H:%M} UTC")
        for kind, what, at in (
            ("expiry", "Expires", life.expires_at),
            ("destruction", "Material is erased", life.destroy_at),
            ("use", "Last used", life.last_used_at),
        )
        if at is not None and scale.has(at) and not (kind == "expiry" and _is_over(life))
    ]
    marks += [
        Mark(state, scale.x(at), middle, f"{_HAPPENED[state]} {at:%Y-%m-%d %H:%M} UTC")
        for at, state in life.history
        if state in _HAPPENED and scale.has(at)
    ]
    return Lane(
        y=y,
        name=f"Version {life.version}",
        note=_note(life, scale.now),
        bars=tuple(_bars(life, y, scale)),
        days=tuple(_days(life, y, most, scale)),
        marks=tuple(marks),
    )


def _bars(life: Life, y: int, scale: _Scale) -> list[Rect]:
    bars = []
    for state, start, end in _phases(life, scale):
        line = state in _ENDED
        height = _LINE if line else BAR
        top = y + BAR_TOP + (BAR - height) / 2
        # What has happened, and what is planned.
        for kind, span in (
            (state, (start, min(end, scale.now))),
            (f"{state} planned", (max(start, scale.now), end)),
        ):
            title = f"{state}, {_words(span)}"
            bar = scale.rect(kind, span, y=top, height=height, title=title)
            if bar is not None:
                bars.append(bar)
    return bars


def _phases(life: Life, scale: _Scale) -> list[tuple[str, datetime, datetime]]:
    """Return each state with its beginning and end; the last goes on as far as is planned."""
    phases = []
    begins = [at for at, _ in life.history]
    for (start, state), end in zip(life.history, [*begins[1:], None], strict=True):
        until = end
        if until is None and state == "retiring":
            until = life.accept_until
        elif until is None and state in _ENDED:
            until = life.destroy_at or scale.now
        if state != "destroyed":
            phases.append((state, start, until or scale.end))
    return phases


def _days(life: Life, y: int, most: int, scale: _Scale) -> list[Rect]:
    days = []
    for day, count in sorted(_uses_within(life, scale).items()):
        height = round(max(DAYS * count / most, 2), 1)
        midnight = datetime.combine(day, time(), UTC)
        title = f"{day:%Y-%m-%d}: {count} use{'' if count == 1 else 's'}"
        top = round(y + DAYS_BOTTOM - height, 1)
        span = (midnight, midnight + _DAY)
        bar = scale.rect("day", span, y=top, height=height, title=title)
        if bar is not None:
            width = round(max(bar.width - 2 * _GAP, _TOO_NARROW), 2)
            days.append(Rect("day", round(bar.x + _GAP, 2), width, top, height, title))
    return days


def _uses_within(life: Life, scale: _Scale) -> dict[date, int]:
    first, last = scale.start.date(), scale.end.date()
    return {day: n for day, n in (life.uses or {}).items() if n and first <= day <= last}


def _overlaps(lives: Sequence[Life], axis_y: int, scale: _Scale) -> list[Rect]:
    bands = []
    for life in lives:
        for state, start, end in _phases(life, scale):
            if state == "retiring":
                span = (start, end)
                title = f"Version {life.version} still opens, {_words(span)}"
                height = axis_y - TOP
                bands.append(scale.rect("overlap", span, y=TOP, height=height, title=title))
    return [band for band in bands if band is not None]


def _note(life: Life, now: datetime) -> str:
    def day(at: datetime) -> str:
        return _short(at) if at.year == now.year else f"{_short(at)} {at.year}"

    since = day(life.history[-1][0])
    if life.state == "retiring" and life.accept_until is not None:
        return f"retiring, opens until {day(life.accept_until)}"
    if life.state in {"staged", "active"}:
        expires = f", expires {day(life.expires_at)}" if life.expires_at else ""
        return f"{life.state} since {since}{expires}"
    erased = f", to be erased {day(life.destroy_at)}" if life.destroy_at else ""
    return f"{life.state} {since}{erased}"


def _ticks(scale: _Scale) -> list[Label]:
    """Return the days to name below: every day, second day, week, fortnight or month."""
    days = (scale.end - scale.start) / _DAY
    step = next((step for step in _TICK_DAYS if days / step <= _MOST_TICKS), None)
    ticks: list[Label] = []
    at = scale.start
    while at <= scale.end:
        # Day 1 of the calendar was a Monday, so steps of 7 and 14 begin on Mondays.
        is_one = at.day == 1 if step is None else at.toordinal() % step == (1 if step > 2 else 0)
        if is_one:
            ticks.append(scale.label(at, _short(at), is_minor=len(ticks) % 2 == 1))
        at += _DAY
    return ticks


def _is_over(life: Life) -> bool:
    return life.state in {*_ENDED, "destroyed"}


def _midnight(at: datetime) -> datetime:
    return datetime.combine(at.astimezone(UTC).date(), time(), UTC)


def _short(at: datetime) -> str:
    return f"{at.day} {at:%b}"


def _words(span: _Span) -> str:
    return f"{span[0]:%Y-%m-%d %H:%M} to {span[1]:%Y-%m-%d %H:%M} UTC"
