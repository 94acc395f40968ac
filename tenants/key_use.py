"""How often each key version is used, in all and by day: what is known of it, and for how long.

:mod:`tenants.use_batches` writes these figures, and nothing else. Days are days of UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from tenants.deletion import delete_in_batches
from tenants.models import Flow, Key, KeyUseDay
from tenants.use_batches import UseCounts

#: How long the counts of single days are kept.
DAYS_KEPT: Final = 400
#: How far back is counted where USED_RECENTLY_DAYS is 0: nothing is asked, figures are shown.
_SHOWN_DAYS: Final = 7
#: Rows deleted in one statement: SQLite has one writer, and requests wait for it.
_AT_ONCE: Final = 2000


@dataclass(frozen=True, slots=True)
class Use:
    """Who still uses a version, in figures.

    ``recent`` counts the last ``days`` days, and all of the day on which they began.
    ``by_day_since`` is the first day of which the uses are known by day, None while none is;
    ``is_exact`` says whether that is early enough for ``recent``, which may be too small else.
    """

    days: int
    recent: int
    in_all: int
    last_at: datetime | None
    by_day_since: date | None
    is_exact: bool

    def __str__(self) -> str:
        last = f"last {self.last_at:%Y-%m-%d %H:%M} UTC" if self.last_at else "never"
        least = "" if self.is_exact else "at least "
        since = f", by day since {self.by_day_since:%Y-%m-%d}" if self.by_day_since else ""
        times = "once" if self.recent == 1 else f"{self.recent} times"
        return f"{last}, {least}{times} within {self.days} days, {self.in_all} in all{since}"


def note_use(key_ids: Iterable[str], at: datetime | None = None) -> None:
    """Count one use of each key version at once, for what is no request to a flow."""
    uses = UseCounts()
    uses.add(set(key_ids), at or timezone.now())
    uses.write()


def day_of(moment: datetime) -> date:
    """Return the day that ``moment`` counts for."""
    return moment.astimezone(UTC).date()


def use_of(key: Key, *, days: int | None = None, now: datetime | None = None) -> Use:
    """Return the figures of one version, of the last ``days`` days (USED_RECENTLY_DAYS)."""
    return use_from(key, _days_of(key.use_days.all()), days=days, now=now)


def days_of_flow(flow: Flow) -> Mapping[UUID, Mapping[date, int]]:
    """Return the uses by day of every version of a flow, by the version's primary key."""
    return _days_of(KeyUseDay.objects.filter(key__flow=flow))


def use_from(
    key: Key,
    by_day: Mapping[UUID, Mapping[date, int]],
    *,
    days: int | None = None,
    now: datetime | None = None,
) -> Use:
    """Return the figures of ``key``, whose row was read before the days were."""
    days = settings.USED_RECENTLY_DAYS or _SHOWN_DAYS if days is None else days
    counts = by_day.get(key.pk, {})
    # Every use counts its day in the same transaction. Fewer by day than in all: days of before
    # they were counted, or days deleted since, are missing.
    is_whole = sum(counts.values()) >= key.use_count
    first = day_of(key.created_at) if is_whole else min(counts, default=None)
    begin = day_of((now or timezone.now()) - timedelta(days=days))
    return Use(
        days=days,
        recent=sum(count for day, count in counts.items() if day >= begin),
        in_all=key.use_count,
        last_at=key.last_used_at,
        by_day_since=first,
        is_exact=is_whole or (first is not None and first <= begin),
    )


def forget_old_days(now: datetime | None = None) -> int:
    """Delete the counts of days longer ago than :data:`DAYS_KEPT`; returns how many."""
    before = day_of(now or timezone.now()) - timedelta(days=DAYS_KEPT)
    old = KeyUseDay.objects.filter(day__lt=before).order_by("pk")
    return delete_in_batches(old, _AT_ONCE)


def _days_of(rows: QuerySet[KeyUseDay]) -> dict[UUID, dict[date, int]]:
    found: dict[UUID, dict[date, int]] = {}
    for key_id, day, count in rows.order_by().values_list("key_id", "day", "count"):
        found.setdefault(key_id, {})[day] = count
    return found
