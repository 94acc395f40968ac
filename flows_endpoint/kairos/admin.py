"""The sandbox's records in the admin: ids, states and times, nothing a partner sent."""

from __future__ import annotations

from django.contrib import admin

from flows_endpoint.kairos.models import CallAllowance, CallAttempt, CallRequest, OutboundCall
from tenants.admin.base import ReadOnlyAdmin


class SealedRecordAdmin(ReadOnlyAdmin):
    """Leaves the sealed part out."""

    exclude = ("sealed",)


@admin.register(CallRequest)
class CallRequestAdmin(ReadOnlyAdmin):
    """Accepted requests."""

    list_display = ("id", "flow", "accepted_at", "call_count", "is_test", "is_dialer")
    list_filter = ("is_test", "is_dialer")
    list_select_related = ("flow",)
    search_fields = ("=id",)


@admin.register(OutboundCall)
class OutboundCallAdmin(SealedRecordAdmin):
    """Calls and where they stand."""

    list_display = ("id", "flow", "request", "status", "start_at", "ended_at")
    list_filter = ("status",)
    list_select_related = ("flow", "request")
    search_fields = ("=id", "=request__id")


@admin.register(CallAttempt)
class CallAttemptAdmin(SealedRecordAdmin):
    """Attempts at calls."""

    list_display = ("id", "call", "number", "started_at", "ended_at")
    list_select_related = ("call",)
    search_fields = ("=call__id",)


@admin.register(CallAllowance)
class CallAllowanceAdmin(ReadOnlyAdmin):
    """What flows with a balance have used of it."""

    list_display = ("flow", "used")
    list_select_related = ("flow",)
