"""The audit trail in the admin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.contrib import admin
from django.db.models import Q

from tenants import lifecycle
from tenants.admin.base import ListedFilter
from tenants.admin.list_filters import FlowFilter, SinceFilter
from tenants.admin.long_list import LongListAdmin
from tenants.models import AuditEntry, Client


class VerbFilter(ListedFilter):
    """By what was done."""

    title = "verb"
    parameter_name = "verb"
    values = lifecycle.VERBS


@admin.register(AuditEntry)
class AuditEntryAdmin(LongListAdmin):
    """Who did what, to look at."""

    #: What is counted below the list, whose name is *Audit trail*.
    counted = "audit entries"
    list_display = ("id", "when", "actor", "verb", "about", "reason", "request_id")
    list_filter = (FlowFilter, SinceFilter, VerbFilter)
    list_select_related = ("client", "flow", "key")
    narrowing = LongListAdmin.narrowing | {"verb"}
    search_fields = ("request_id",)
    search_help_text = "An entry's number, a request id, an actor or a client, in full."
    fields = readonly_fields = (
        "id",
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

    def meanings(self, term: str, given: Mapping[str, str]) -> Sequence[Q]:
        """Return a number, a request id, an actor or a client."""
        number = [Q(pk=int(term))] if term.isdecimal() and len(term) < 19 else []
        clients = [Q(client=client) for client in Client.objects.filter(slug=term)]
        return [*number, Q(request_id=term), Q(actor=term), *clients]
