"""Requests are forgotten with their calls, once the last of them ended long ago."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from flows_endpoint.kairos.models import CallAttempt, CallRequest, OutboundCall

#: Requests deleted in one transaction; each may have 500 calls.
_AT_ONCE: Final = 20


def forget_old(before: datetime) -> int:
    """Delete the requests all of whose calls ended ``before``; returns how many rows."""
    going_on = OutboundCall.objects.filter(
        Q(ended_at__isnull=True) | Q(ended_at__gte=before), request=OuterRef("pk")
    ).order_by()
    over = CallRequest.objects.filter(~Exists(going_on), accepted_at__lt=before)
    deleted = 0
    while some := list(over.order_by("accepted_at").values_list("pk", flat=True)[:_AT_ONCE]):
        with transaction.atomic():
            for rows in (
                CallAttempt.objects.filter(call__request__in=some),
                OutboundCall.objects.filter(request__in=some),
                CallRequest.objects.filter(pk__in=some),
            ):
                deleted += rows.delete()[0]
    return deleted
