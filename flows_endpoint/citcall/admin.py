"""What an administrator sees of the sandbox: ids, states and times, no personal data."""

from __future__ import annotations

from django.contrib import admin

from flows_endpoint.citcall.models import FirstReply, MissedCall
from tenants.admin.base import ReadOnlyAdmin


class _ReadOnly(ReadOnlyAdmin):
    """Rows are written by the wire alone."""

    list_select_related = ("flow",)
    date_hierarchy = "created_at"


@admin.register(MissedCall)
class MissedCallAdmin(_ReadOnly):
    """The calls of the sandbox."""

    list_display = ("trxid", "flow", "state", "dial_code", "call_status", "created_at", "ended_at")
    list_filter = ("state", "call_status", "flow__client")
    search_fields = ("trxid",)
    fields = (*list_display, "id")


@admin.register(FirstReply)
class FirstReplyAdmin(_ReadOnly):
    """The client unique ids served within the last day."""

    list_display = ("__str__", "flow", "created_at", "expires_at")
    list_filter = ("flow__client",)
    fields = ("flow", "created_at", "expires_at")
