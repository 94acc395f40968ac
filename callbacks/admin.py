"""Deliveries in the admin: to look at, and to have tried again. Bodies are never shown."""

from __future__ import annotations

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from callbacks import operations
from callbacks.models import Delivery
from tenants.actors import Actor
from tenants.admin.base import ReadOnlyAdmin


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """A read-only list; the one thing to do is to retry."""

    list_display = (
        "id",
        "flow",
        "event",
        "state",
        "attempts",
        "next_attempt_at",
        "last_status",
        "last_error",
        "created_at",
    )
    list_filter = ("state", "event", "flow__scheme")
    list_select_related = ("flow",)
    search_fields = ("=id", "=subject", "=flow__address", "=flow__client__slug")
    date_hierarchy = "created_at"
    fields = readonly_fields = (
        "id",
        "flow",
        "event",
        "subject",
        "state",
        "attempts",
        "step",
        "next_attempt_at",
        "leased_until",
        "last_status",
        "last_error",
        "created_at",
        "settled_at",
    )
    actions = ("retry",)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Return whether the action is offered."""
        return request.user.has_perm("callbacks.retry_delivery")

    @admin.action(description="Try the chosen deliveries again now", permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        """Have the chosen deliveries tried again."""
        chosen = list(queryset.values_list("pk", flat=True))
        count = operations.retry(Actor.from_request(request), chosen)
        self.message_user(request, f"{count} of {len(chosen)} will be tried now.", messages.SUCCESS)
        if count < len(chosen):
            self.message_user(
                request,
                "The others have arrived already or are being tried at this moment.",
                messages.INFO,
            )
