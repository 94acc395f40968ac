"""The exchange log in the admin: one row a request, to look at."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from crypto_schemes import registry
from flows_endpoint.exchange import Reason
from flows_endpoint.models import ExchangeRow
from tenants.admin.base import ListedFilter, ReadOnlyAdmin
from tenants.models import Flow


class SchemeFilter(ListedFilter):
    """By contract."""

    title = "contract"
    parameter_name = "scheme"
    values = registry.NAMES


class ReasonFilter(ListedFilter):
    """By why it was not served."""

    title = "reason"
    parameter_name = "reason"
    values = tuple(reason.value for reason in Reason)


@admin.register(ExchangeRow)
class ExchangeAdmin(ReadOnlyAdmin):
    """What became of each request. It never held what was in them."""

    list_display = (
        "at",
        "flow",
        "operation",
        "outcome",
        "reason",
        "step",
        "code",
        "http_status",
        "key_versions",
        "milliseconds",
        "request_id",
    )
    list_filter = ("outcome", SchemeFilter, ReasonFilter)
    list_select_related = ("flow",)
    search_fields = ("request_id",)
    search_help_text = "A request id or a flow's address, in full."
    fields = readonly_fields = (
        "at",
        "request_id",
        "flow",
        "scheme",
        "operation",
        "source",
        "outcome",
        "reason",
        "step",
        "code",
        "http_status",
        "key_versions",
        "milliseconds",
        "request_size",
        "request_digest",
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ExchangeRow], search_term: str
    ) -> tuple[QuerySet[ExchangeRow], bool]:
        """Look for exact values only, which have an index; a scan takes long in a long log."""
        term = search_term.strip()
        if term:
            wanted = Q(request_id=term)
            flows = list(Flow.objects.filter(address=term).values_list("pk", flat=True))
            if flows:
                wanted |= Q(flow_id__in=flows)
            queryset = queryset.filter(wanted)
        return queryset, False
