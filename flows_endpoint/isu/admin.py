"""Records of the ISU sandbox in the admin: read-only, without anything a partner sent."""

from __future__ import annotations

from django.contrib import admin

from flows_endpoint.isu.models import Collection, Payout
from tenants.admin.base import ReadOnlyAdmin


class _ReadOnly(ReadOnlyAdmin):
    list_display = ("id", "flow", "state", "created_at", "ended_at")
    list_filter = ("state",)
    list_select_related = ("flow",)
    date_hierarchy = "created_at"
    fields = readonly_fields = list_display


@admin.register(Payout)
class PayoutAdmin(_ReadOnly):
    """Payouts."""


@admin.register(Collection)
class CollectionAdmin(_ReadOnly):
    """Dynamic UPI transactions."""
