"""What the page of a WhatsApp flow shows beside its keys: alerts, key at Meta, health, messages."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest

from flows_endpoint.whatsapp_flows import public_keys
from flows_endpoint.whatsapp_flows.cloud.client import PublishedKey
from flows_endpoint.whatsapp_flows.health import MOST_ROWS
from flows_endpoint.whatsapp_flows.models import (
    FlowAlert,
    FlowHealth,
    KeyVerdict,
    PhoneKey,
    WhatsappMessage,
)
from tenants.flow_panels import Panel
from tenants.models import Flow, Key, KeyState

_TEMPLATE: Final = "admin/whatsapp_flows/panel.html"
#: How many messages the page shows.
_LATEST: Final = 8


def panel(flow: Flow, request: HttpRequest) -> Panel | None:
    """Return the panel for this person, or None for who may see nothing of it."""
    may = request.user.has_perm
    context: dict[str, Any] = {"flow": flow}
    warnings: list[str] = []
    if may("whatsapp_flows.view_flowalert"):
        alerts = FlowAlert.objects.filter(flow=flow, closed_at__isnull=True).order_by("-opened_at")
        warnings = [f"{alert.event}: {alert.message or alert.subject}" for alert in alerts[:5]]
    if may("whatsapp_flows.view_phonekey"):
        context |= _key_context(flow)
        context["may_upload"] = may("whatsapp_flows.upload_phonekey")
    if may("whatsapp_flows.view_flowhealth"):
        context["health"] = FlowHealth.objects.filter(flow=flow).first()
        context["most_rows"] = MOST_ROWS
    if may("whatsapp_flows.view_whatsappmessage"):
        rows = WhatsappMessage.objects.filter(flow=flow).defer("body").order_by("-created_at")
        context["messages"] = list(rows[:_LATEST])
    context["may_send"] = may("whatsapp_flows.send_whatsappmessage")
    if len(context) == 2 and not context["may_send"] and not warnings:
        return None
    return Panel(_TEMPLATE, context, warnings)


def _key_context(flow: Flow) -> dict[str, Any]:
    """Return how the key at Meta stands to ours as they are now, and which could be uploaded."""
    keys = list(Key.objects.filter(flow=flow, purpose=public_keys.PURPOSE).defer("material"))
    row = PhoneKey.objects.filter(flow=flow).first()
    verdict = KeyVerdict.UNKNOWN
    if row is not None and row.checked_at is not None:
        published = PublishedKey(row.fingerprint, row.signature_status)
        verdict = public_keys.verdict_of(published, keys)
    offered = [
        key
        for key in sorted(keys, key=lambda key: -key.version)
        if key.state in public_keys.UPLOADABLE
        and (verdict == KeyVerdict.MISMATCH or row is None or key.fingerprint != row.fingerprint)
    ]
    active = next((key for key in keys if key.state == KeyState.ACTIVE), None)
    return {
        "phone_key": row,
        "verdict": verdict,
        "is_good": public_keys.is_good(verdict),
        "to_upload": offered,
        "active": active,
    }
