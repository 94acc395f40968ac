"""Sessions that expired long ago and e-way bills that were cancelled are forgotten.

Invoices stay, cancelled ones too: an IRN is given once. So do active e-way bills: a document has
one of them, however old.
"""

from __future__ import annotations

from datetime import datetime

from flows_endpoint import sandbox_retention
from flows_endpoint.flynn.models import EwayBill, PortalSession, Status, UserSession


def forget_old(before: datetime) -> int:
    """Delete what was over ``before``; returns how many rows."""
    return sandbox_retention.delete(
        UserSession.objects.filter(expires_at__lt=before),
        PortalSession.objects.filter(expires_at__lt=before),
        EwayBill.objects.filter(status=Status.CANCELLED, cancelled_at__lt=before),
    )
