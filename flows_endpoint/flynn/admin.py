"""What an administrator sees: ids, states and times, no personal data."""

from __future__ import annotations

from django.contrib import admin

from flows_endpoint.flynn.models import Account, EwayBill, Invoice, PortalSession, UserSession
from tenants.admin.base import ReadOnlyAdmin


class _ReadOnly(ReadOnlyAdmin):
    """Rows are written by the wire alone."""


@admin.register(Account)
class AccountAdmin(_ReadOnly):
    """The users."""

    list_display = ("id", "flow", "created_at")
    list_select_related = ("flow",)
    list_filter = ("flow__client",)
    fields = list_display


@admin.register(UserSession)
class UserSessionAdmin(_ReadOnly):
    """Sessions, and why they ended."""

    list_display = (
        "id",
        "account",
        "created_at",
        "expires_at",
        "ended_at",
        "end_reason",
        "failed_openings",
    )
    list_select_related = ("account",)
    list_filter = ("end_reason", "account__flow__client")
    date_hierarchy = "created_at"
    fields = (*list_display, "key_id")


@admin.register(PortalSession)
class PortalSessionAdmin(_ReadOnly):
    """Portal sessions."""

    list_display = ("id", "flow", "portal", "expires_at")
    list_select_related = ("flow",)
    list_filter = ("portal", "flow__client")
    fields = (*list_display, "key_id")


@admin.register(Invoice)
class InvoiceAdmin(_ReadOnly):
    """The invoices of the sandbox."""

    list_display = ("ack_no", "flow", "status", "created_at", "cancelled_at", "cancel_reason")
    list_select_related = ("flow",)
    list_filter = ("status", "flow__client")
    search_fields = ("=ack_no",)
    date_hierarchy = "created_at"
    fields = ("id", *list_display)


@admin.register(EwayBill)
class EwayBillAdmin(_ReadOnly):
    """The e-way bills of the sandbox."""

    list_display = ("number", "flow", "status", "created_at", "valid_until", "extended_times")
    list_select_related = ("flow",)
    list_filter = ("status", "flow__client")
    search_fields = ("=number",)
    date_hierarchy = "created_at"
    fields = ("id", *list_display, "invoice", "cancelled_at", "cancel_reason")
