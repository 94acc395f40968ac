"""Days and hours as the portals write and count them: India Standard Time, no summer time."""

from __future__ import annotations

import math
from datetime import date, datetime, time, timedelta, timezone
from typing import Final

INDIA: Final = timezone(timedelta(hours=5, minutes=30), "IST")
#: How long after its making a document can be cancelled.
CANCELLABLE: Final = timedelta(hours=24)
#: How long before and after its end an e-way bill can be extended.
EXTENDABLE: Final = timedelta(hours=8)
_LAST_MINUTE: Final = time(23, 59)


def irp_time(moment: datetime) -> str:
    """Return ``moment`` as ``yyyy-MM-dd HH:mm:ss``."""
    return moment.astimezone(INDIA).strftime("%Y-%m-%d %H:%M:%S")


def ewb_time(moment: datetime) -> str:
    """Return ``moment`` as ``dd/MM/yyyy hh:mm:ss AM|PM``, whatever the locale."""
    local = moment.astimezone(INDIA)
    half = "AM" if local.hour < 12 else "PM"
    return f"{local:%d/%m/%Y} {(local.hour + 11) % 12 + 1:02d}:{local:%M:%S} {half}"


def today(moment: datetime) -> date:
    """Return the day it is in India."""
    return moment.astimezone(INDIA).date()


def financial_year(day: date) -> str:
    """Return the financial year of ``day``, April to March: ``2024-25``."""
    first = day.year if day.month >= 4 else day.year - 1
    return f"{first}-{(first + 1) % 100:02d}"


def valid_until(start: datetime, distance: int, *, oversize: bool) -> datetime:
    """Return the end of validity: the last minute of a day in India.

    One day for every 200 km or part of them, for over-dimensional cargo every 20 km, counted
    from the day after ``start``; at least one.
    """
    days = max(1, math.ceil(distance / (20 if oversize else 200)))
    return datetime.combine(today(start) + timedelta(days=days), _LAST_MINUTE, INDIA)
