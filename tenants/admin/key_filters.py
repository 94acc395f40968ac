"""Filters of the list of keys."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from crypto_schemes import registry
from tenants.admin.base import AnyModelAdmin, ListedFilter
from tenants.models import Flow, Key

#: So many flows are named one by one; of more, the list is dense enough to be looked through.
_FEW: Final = 50


class PurposeFilter(ListedFilter):
    """By what the secret is for."""

    title = "purpose"
    parameter_name = "purpose"
    titles: Final = {
        spec.name: spec.title for scheme in registry.all_schemes() for spec in scheme.all_purposes()
    }
    values = tuple(titles)

    def lookups(self, request: HttpRequest, model_admin: AnyModelAdmin) -> list[tuple[str, str]]:
        """Return the purposes by the titles the page of a flow gives them."""
        return list(self.titles.items())


class SchemeFilter(ListedFilter):
    """By the contract of the flow."""

    title = "contract"
    parameter_name = "flow__scheme"
    values = registry.NAMES

    def lookups(self, request: HttpRequest, model_admin: AnyModelAdmin) -> list[tuple[str, str]]:
        """Return the contracts by their names in words."""
        return [(name, registry.label(name)) for name in self.values]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Key]) -> QuerySet[Key]:
        """Return the keys of the contract's flows; by the flows where they are few."""
        super().queryset(request, queryset)  # refuses what is no contract
        if not self.value():
            return queryset
        flows = Flow.objects.filter(scheme=self.value()).order_by()
        few = list(flows.values_list("pk", flat=True)[: _FEW + 1])
        if len(few) <= _FEW:
            return queryset.filter(flow__in=few)
        # Not a join: SQLite would begin with the flows, and sort all their keys.
        return queryset.filter(Exists(flows.filter(pk=OuterRef("flow_id"))))


class LastUseFilter(admin.SimpleListFilter):
    """By when the version opened something last."""

    title = "last use"
    parameter_name = "used"

    def lookups(self, request: HttpRequest, model_admin: AnyModelAdmin) -> list[tuple[str, str]]:
        """Return what to choose from."""
        return [("day", "Within a day"), ("old", "Not for 30 days"), ("never", "Never")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Key]) -> QuerySet[Key]:
        """Return the keys used so. Raises IncorrectLookupParameters."""
        now = timezone.now()
        uses = {
            None: Q(),
            "day": Q(last_used_at__gte=now - timedelta(days=1)),
            "old": Q(last_used_at__lt=now - timedelta(days=30)),
            "never": Q(last_used_at__isnull=True),
        }
        if self.value() not in uses:
            raise IncorrectLookupParameters
        return queryset.filter(uses[self.value()])
