"""Calls that ended long ago are forgotten, and then the numbers nobody called since.

A client unique id is remembered for 24 hours by itself (flows_endpoint/citcall/repeats.py).
"""

from __future__ import annotations

from datetime import datetime

from django.db.models import Exists, OuterRef

from flows_endpoint import sandbox_retention
from flows_endpoint.citcall.models import CalledNumber, CallState, MissedCall


def forget_old(before: datetime) -> int:
    """Delete what was over ``before``; returns how many rows."""
    over = MissedCall.objects.filter(state=CallState.ENDED, ended_at__lt=before)
    calls = MissedCall.objects.filter(
        flow=OuterRef("flow"), number_digest=OuterRef("digest")
    ).order_by()
    # The row is a lock. One that is wanted again meanwhile is made again by whoever wants it.
    numbers = CalledNumber.objects.filter(~Exists(calls), last_call_at__lt=before)
    return sandbox_retention.delete(over) + sandbox_retention.delete(numbers)
