"""Days and hours as the vendor writes them: India Standard Time (UTC+05:30, no summer time)."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

INDIA = timezone(timedelta(hours=5, minutes=30), "IST")


def written(moment: datetime) -> str:
    """Return ``moment`` as ``yyyy-mm-dd hh:mm:ss`` in India."""
    return moment.astimezone(INDIA).strftime("%Y-%m-%d %H:%M:%S")
