"""What WhatsApp flows add to the first page and to the side bar."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from flows_endpoint.attention import Attention, Link, Notice, Tile
from flows_endpoint.whatsapp_flows.models import (
    FlowAlert,
    FlowHealth,
    KeyVerdict,
    MessageState,
    PhoneKey,
    WhatsappMessage,
)
from flows_endpoint.whatsapp_flows.public_keys import is_good
from tenants.models import Flow

LINKS: Final = (
    Link(
        "Messages",
        "chat",
        "whatsapp_flows_whatsappmessage",
        "whatsapp_flows.view_whatsappmessage",
    ),
    Link(
        "Alerts",
        "notification_important",
        "whatsapp_flows_flowalert",
        "whatsapp_flows.view_flowalert",
    ),
    Link(
        "Endpoint health",
        "monitor_heart",
        "whatsapp_flows_flowhealth",
        "whatsapp_flows.view_flowhealth",
    ),
    Link(
        "Public keys at Meta",
        "vpn_key",
        "whatsapp_flows_phonekey",
        "whatsapp_flows.view_phonekey",
    ),
)
_DAY: Final = timedelta(days=1)
#: Alerts that are spelled out on top of the page.
_MOST_NOTICES: Final = 5


def attention(request: HttpRequest) -> Attention:
    """Return notices and tiles, each for who may open the list behind it; none without a flow."""
    if not Flow.objects.filter(scheme="whatsapp_flows").exists():
        return Attention()
    may = request.user.has_perm
    said = Attention()
    if may("whatsapp_flows.view_flowalert"):
        said.tiles.append(_alert_tile())
        said.notices.extend(_notices())
    if may("whatsapp_flows.view_flowhealth"):
        said.tiles.append(_health_tile())
    if may("whatsapp_flows.view_phonekey"):
        said.tiles.append(_key_tile())
    if may("whatsapp_flows.view_whatsappmessage"):
        said.tiles.append(_message_tile())
    return said


def _notices() -> list[Notice]:
    alerts = FlowAlert.objects.filter(closed_at__isnull=True).select_related("flow")
    return [
        Notice(
            text=f"{alert.flow}: {alert.event}. {alert.message or alert.subject}",
            url=reverse("admin:tenants_flow_change", args=[alert.flow_id]),
        )
        for alert in alerts.order_by("-opened_at")[:_MOST_NOTICES]
    ]


def _alert_tile() -> Tile:
    count = FlowAlert.objects.filter(closed_at__isnull=True).count()
    return Tile(
        title="WhatsApp alerts",
        value=str(count),
        note="open, of Meta and our own",
        url=f"{reverse('admin:whatsapp_flows_flowalert_changelist')}?closed_at__isempty=1",
        is_alarm=count > 0,
    )


def _health_tile() -> Tile:
    rows = FlowHealth.objects.filter(worst_level__gt=0)
    near, passed = rows.filter(worst_level=1).count(), rows.filter(worst_level__gt=1).count()
    return Tile(
        title="WhatsApp endpoints",
        value=str(near + passed),
        note=f"near a threshold of Meta; {passed} beyond one",
        url=f"{reverse('admin:whatsapp_flows_flowhealth_changelist')}?worst_level__gt=0",
        is_alarm=near + passed > 0,
    )


def _key_tile() -> Tile:
    bad = [verdict.value for verdict in KeyVerdict if not is_good(verdict)]
    count = PhoneKey.objects.filter(verdict__in=bad).count()
    return Tile(
        title="Public keys at Meta",
        value=str(count),
        note="not the key they should be",
        url=f"{reverse('admin:whatsapp_flows_phonekey_changelist')}?verdict__in={','.join(bad)}",
        is_alarm=count > 0,
    )


def _message_tile() -> Tile:
    since = timezone.now() - _DAY
    count = WhatsappMessage.objects.filter(state=MessageState.FAILED, created_at__gte=since).count()
    return Tile(
        title="WhatsApp messages failed, 24 hours",
        value=str(count),
        note="refused by the platform, or not delivered",
        url=f"{reverse('admin:whatsapp_flows_whatsappmessage_changelist')}?state={MessageState.FAILED}"
        f"&created_at__gte={since:%Y-%m-%dT%H:%M:%SZ}",
        is_alarm=count > 0,
    )
