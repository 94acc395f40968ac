"""What somebody should see to: alerts of the platform, and our own findings.

An alert is open once for each thing it is about. The platform may tell that something is over
before we have read that it began; its own times decide.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from flows_endpoint.whatsapp_flows.models import AlertSource, FlowAlert
from tenants.models import Flow

logger = logging.getLogger(__name__)

#: Our own findings.
CREDENTIALS_REFUSED: Final = "CREDENTIALS_REFUSED"
PUBLIC_KEY: Final = "PUBLIC_KEY"
UPDATE_NOT_PROCESSED: Final = "UPDATE_NOT_PROCESSED"

_STATUS_CHANGE: Final = "FLOW_STATUS_CHANGE"
#: Statuses of a form in which users cannot use it as they should.
_BAD_STATUSES: Final = frozenset({"THROTTLED", "BLOCKED", "DEPRECATED"})
_LONGEST_MESSAGE: Final = 300


def raise_alert(
    flow_id: str,
    source: AlertSource,
    event: str,
    *,
    at: datetime,
    subject: str = "",
    message: str = "",
) -> bool:
    """Open an alert unless it is open; return whether it was opened now."""
    same = FlowAlert.objects.filter(flow_id=flow_id, source=source, event=event, subject=subject)
    # Over before we read that it began; what a person set aside may come again.
    if same.filter(closed_at__gt=at, closed_by="").exists():
        return False
    row = FlowAlert(
        flow_id=flow_id,
        source=source,
        event=event,
        subject=subject,
        message=message[:_LONGEST_MESSAGE],
        opened_at=at,
    )
    FlowAlert.objects.bulk_create([row], ignore_conflicts=True)
    is_new = same.filter(pk=row.pk).exists()
    if is_new:
        logger.warning("WhatsApp alert %s about flow %s. %s", event, flow_id, subject)
    return is_new


def end_alert(
    flow_id: str, source: AlertSource, event: str, *, at: datetime, subject: str | None = None
) -> int:
    """Close the open alerts of ``event`` (about ``subject``); return how many."""
    open_ones = FlowAlert.objects.filter(
        flow_id=flow_id, source=source, event=event, closed_at__isnull=True
    )
    if subject is not None:
        open_ones = open_ones.filter(subject=subject)
    return open_ones.filter(opened_at__lte=at).update(closed_at=at)


def open_subjects(flow_id: str, source: AlertSource, event: str) -> set[str]:
    """Return what the open alerts of ``event`` are about."""
    rows = FlowAlert.objects.filter(
        flow_id=flow_id, source=source, event=event, closed_at__isnull=True
    )
    return set(rows.values_list("subject", flat=True))


def read_alert(flow: Flow, value: Mapping[str, Any], at: datetime) -> None:
    """Open or close what an update of the field ``flows`` says."""
    event = _text(value, "event")[:64]
    if not event:
        return
    form = _text(value, "flow_id")[:32]
    flow_id = str(_flow_of(flow, form))
    if event == _STATUS_CHANGE:
        status = _text(value, "new_status")
        end_alert(flow_id, AlertSource.META, event, at=at, subject=form)
        if status in _BAD_STATUSES:
            message = _text(value, "message") or f"The form is {status}."
            raise_alert(flow_id, AlertSource.META, event, at=at, subject=form, message=message)
        return
    threshold = value.get("threshold")
    is_number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
    subject = f"{form} {threshold}" if is_number else form
    if _text(value, "alert_state") == "DEACTIVATED":
        if not end_alert(flow_id, AlertSource.META, event, at=at, subject=subject):
            _keep_as_over(flow_id, event, subject, at)
        return
    raise_alert(
        flow_id,
        AlertSource.META,
        event,
        at=at,
        subject=subject,
        message=_text(value, "message"),
    )


def _keep_as_over(flow_id: str, event: str, subject: str, at: datetime) -> None:
    """Remember that something is over of which we have not read that it began."""
    FlowAlert.objects.create(
        flow_id=flow_id,
        source=AlertSource.META,
        event=event,
        subject=subject,
        opened_at=at,
        closed_at=at,
    )


def _flow_of(flow: Flow, form: str) -> Any:
    """Return the id of the client's flow whose form this is; one webhook may serve several."""
    if not form or flow.options.get("meta_flow_id") == form:
        return flow.pk
    found = Flow.objects.filter(
        client_id=flow.client_id, scheme=flow.scheme, options__meta_flow_id=form
    )
    return found.order_by("pk").values_list("pk", flat=True).first() or flow.pk


def _text(value: Mapping[str, Any], name: str) -> str:
    text = value.get(name)
    if isinstance(text, int) and not isinstance(text, bool):
        text = str(text)
    # PostgreSQL stores no NUL.
    return text.replace("\x00", "") if isinstance(text, str) else ""
