"""What an administrator sees: ids, kinds and times. What was said in a flow stays sealed."""

from __future__ import annotations

from django.contrib import admin

from flows_endpoint.whatsapp_flows.models import (
    Appointment,
    ErrorReport,
    StepReply,
    WebhookUpdate,
)
from tenants.admin.base import ReadOnlyAdmin


class _ReadOnly(ReadOnlyAdmin):
    """Rows are written by the wire alone."""

    list_select_related = ("flow",)


@admin.register(ErrorReport)
class ErrorReportAdmin(_ReadOnly):
    """Complaints of phones about our replies."""

    list_display = ("received_at", "flow", "kind")
    list_filter = ("kind", "flow__client")
    date_hierarchy = "received_at"
    fields = ("id", *list_display)


@admin.register(WebhookUpdate)
class WebhookUpdateAdmin(_ReadOnly):
    """Updates received at the webhook addresses."""

    list_display = ("received_at", "flow", "kind", "id")
    list_filter = ("kind", "flow__client")
    date_hierarchy = "received_at"
    fields = list_display


@admin.register(Appointment)
class AppointmentAdmin(_ReadOnly):
    """Bookings of the sandbox."""

    list_display = ("id", "flow", "created_at")
    list_filter = ("flow__client",)
    date_hierarchy = "created_at"
    fields = list_display


@admin.register(StepReply)
class StepReplyAdmin(_ReadOnly):
    """Steps whose first reply is still given again."""

    list_display = ("__str__", "flow", "expires_at")
    list_filter = ("flow__client",)
    fields = ("name", "flow", "expires_at")
