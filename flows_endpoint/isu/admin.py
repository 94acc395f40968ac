"""Records of the ISU sandbox in the admin: read-only, without anything a partner sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.http import HttpRequest

from flows_endpoint.isu.models import Collection, Payout, Record

# Generic for the type checker only.
if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Record]
else:
    _ModelAdmin = admin.ModelAdmin


class _ReadOnly(_ModelAdmin):
    list_display = ("id", "flow", "state", "created_at", "ended_at")
    list_filter = ("state",)
    list_select_related = ("flow",)
    date_hierarchy = "created_at"
    fields = readonly_fields = list_display

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody makes a transaction by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Record | None = None) -> bool:
        """Nobody changes one."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Record | None = None) -> bool:
        """Nobody deletes one."""
        return False


@admin.register(Payout)
class PayoutAdmin(_ReadOnly):
    """Payouts."""


@admin.register(Collection)
class CollectionAdmin(_ReadOnly):
    """Dynamic UPI transactions."""
