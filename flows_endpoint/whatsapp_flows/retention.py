"""What is kept of users is forgotten after SEALGATE_WHATSAPP_DAYS, and after SEALGATE_SANDBOX_DAYS
what the sandbox's form booked.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db.models import Model

from flows_endpoint.whatsapp_flows.models import (
    Appointment,
    ErrorReport,
    FlowAlert,
    FlowSession,
    MediaFile,
    WebhookUpdate,
    WhatsappMessage,
)
from tenants import keyring
from tenants.deletion import delete_in_batches

#: Rows deleted in one statement, so that nobody waits for it long.
_AT_ONCE: Final = 1000


def forget_old(now: float) -> int:
    """Delete what is past its time at Unix time ``now``; returns how many rows.

    Updates that still wait, and alerts that are open, stay.
    """
    moment = keyring.utc(now)
    before = moment - timedelta(days=settings.WHATSAPP_DAYS)
    return (
        _delete(WebhookUpdate, received_at__lt=before, processed_at__isnull=False)
        + _delete(WhatsappMessage, created_at__lt=before)
        + _delete(FlowSession, created_at__lt=before)
        + _delete(FlowAlert, opened_at__lt=before, closed_at__lt=before)
        + _delete(ErrorReport, received_at__lt=before)
        + _delete(MediaFile, expires_at__lte=moment)
    )


def forget_appointments(before: datetime) -> int:
    """Delete what was booked ``before``; returns how many rows.

    Its day is over by then (slots are booked two weeks ahead), so no slot is given away twice.
    """
    return _delete(Appointment, created_at__lt=before)


def _delete(model: type[Model], **past: Any) -> int:
    return delete_in_batches(model._default_manager.filter(**past).order_by(), _AT_ONCE)
