"""The audit trail in the admin."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from tenants import lifecycle
from tenants.admin.base import ListedFilter, ReadOnlyAdmin
from tenants.models import AuditEntry


class VerbFilter(ListedFilter):
    """By what was done."""

    title = "verb"
    parameter_name = "verb"
    values = lifecycle.VERBS


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Who did what, to look at."""

    list_display = ("when", "actor", "verb", "about", "reason", "request_id")
    list_filter = (VerbFilter,)
    list_select_related = ("client", "flow", "key")
    search_fields = ("request_id",)
    search_help_text = "A request id, an actor or a client's slug, in full."
    fields = readonly_fields = (
        "at",
        "actor",
        "actor_address",
        "verb",
        "client",
        "flow",
        "key",
        "before",
        "after",
        "reason",
        "request_id",
    )

    @admin.display(description="At (UTC)", ordering="id")
    def when(self, entry: AuditEntry) -> str:
        """Return when it was done."""
        return f"{entry.at:%Y-%m-%d %H:%M:%S}"

    @admin.display(description="About")
    def about(self, entry: AuditEntry) -> str:
        """Return what or whom it was done to."""
        rows = [row for row in (entry.client, entry.flow, entry.key) if row is not None]
        who = entry.after.get("person") or entry.after.get("role", "")
        return ", ".join(map(str, rows)) or str(who)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry], search_term: str
    ) -> tuple[QuerySet[AuditEntry], bool]:
        """Look for exact values only: a scan for parts of them takes long in a long trail."""
        term = search_term.strip()
        if term:
            queryset = queryset.filter(Q(request_id=term) | Q(actor=term) | Q(client__slug=term))
        return queryset, False
