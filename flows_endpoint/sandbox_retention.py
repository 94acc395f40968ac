"""What sandboxes made is forgotten after SEALGATE_SANDBOX_DAYS; each contract says which of it.

Kept whatever its age is what still goes on, and what the contract takes only once: an ISU
reference, an IRN, a document with an active e-way bill.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from tenants.deletion import delete_in_batches

#: Deletes what was over before a time; returns how many rows.
_Duty = Callable[[datetime], int]
_duties: dict[str, _Duty] = {}
#: Rows deleted in one statement, so that nobody waits for it long.
_AT_ONCE: Final = 500


def register(name: str, duty: _Duty) -> None:
    """Have ``duty`` run regularly; ``name`` (``kairos``) once."""
    _duties[name] = duty


def forget_old(now: datetime | None = None) -> int:
    """Delete what is past its time at ``now``; returns how many rows."""
    before = (now or timezone.now()) - timedelta(days=settings.SANDBOX_DAYS)
    return sum(duty(before) for duty in tuple(_duties.values()))


def delete(*rows: QuerySet[Any]) -> int:
    """Delete all of ``rows``, some at a time; returns how many."""
    return sum(delete_in_batches(some.order_by(), _AT_ONCE) for some in rows)
