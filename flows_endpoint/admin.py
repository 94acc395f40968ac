"""The exchange log in the admin: one row a request, to look at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import escape, format_html_join
from django.utils.safestring import SafeString, mark_safe
from unfold.decorators import display

from crypto_schemes import registry
from flows_endpoint.exchange import FAILURES, Reason
from flows_endpoint.findings import Finding, finding
from flows_endpoint.models import NOT_SERVED, ExchangeRow, Outcome
from tenants.admin.base import AnyModelAdmin, ListedFilter
from tenants.admin.list_filters import FlowFilter, SinceFilter
from tenants.admin.long_list import KeysetChangeList, LongListAdmin
from tenants.models import Flow, Key

_OUTCOME = "outcome__exact"


class SchemeFilter(ListedFilter):
    """By contract."""

    title = "contract"
    parameter_name = "scheme"
    values = registry.NAMES

    def lookups(self, request: HttpRequest, model_admin: AnyModelAdmin) -> list[tuple[str, str]]:
        """Return the contracts by their names in words."""
        return [(name, registry.label(name)) for name in self.values]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[ExchangeRow]
    ) -> QuerySet[ExchangeRow]:
        """Return the rows of the contract; of a flow, all of them are."""
        rows: QuerySet[ExchangeRow] = super().queryset(request, queryset)
        return queryset if request.GET.get("flow__id__exact") or request.GET.get("q") else rows


class OutcomeFilter(ListedFilter):
    """By how it ended."""

    title = "outcome"
    parameter_name = _OUTCOME
    values = tuple(Outcome.values)

    def lookups(self, request: HttpRequest, model_admin: AnyModelAdmin) -> list[tuple[str, str]]:
        """Return the outcomes in words."""
        return list(Outcome.choices)

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[ExchangeRow]
    ) -> QuerySet[ExchangeRow]:
        """Return the rows that ended so; a reason says it already."""
        rows: QuerySet[ExchangeRow] = super().queryset(request, queryset)
        return queryset if request.GET.get("reason") else rows


class ReasonFilter(ListedFilter):
    """By why it was not served."""

    title = "reason"
    parameter_name = "reason"
    values = tuple(reason.value for reason in Reason)

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[ExchangeRow]
    ) -> QuerySet[ExchangeRow]:
        """Return the rows with the reason, which says the outcome too."""
        rows: QuerySet[ExchangeRow] = super().queryset(request, queryset)
        chosen = self.value()
        if not chosen:
            return rows
        outcome = Outcome.FAILED if Reason(chosen) in FAILURES else Outcome.REFUSED
        if request.GET.get(_OUTCOME, outcome) not in {"", outcome}:
            return rows.none()  # the database would look through all of either to find out
        return rows.filter(NOT_SERVED)


class FlowOfContractFilter(FlowFilter):
    """By flow, which says the contract too."""

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[ExchangeRow]
    ) -> QuerySet[ExchangeRow]:
        """Return the rows of the flow; none where another contract is asked for."""
        if self.flow and request.GET.get("scheme", self.flow.scheme) not in {"", self.flow.scheme}:
            return queryset.none()
        return super().queryset(request, queryset)


def find_keys(rows: Iterable[ExchangeRow]) -> None:
    """Give each row ``found_keys``: the versions it names, which one query finds for all rows."""
    named = {row: [name.rpartition(" v") for name in row.key_versions.split(", ")] for row in rows}
    flows = {row.flow_id for row in named if row.flow_id}
    purposes = {purpose for names in named.values() for purpose, _, _ in names if purpose}
    keys = Key.objects.filter(flow__in=flows, purpose__in=purposes).order_by()
    keys = keys.select_related("flow").defer("material")
    found: dict[tuple[UUID | None, str, str], Key] = {
        (key.flow_id, key.purpose, str(key.version)): key for key in keys
    }
    for row, names in named.items():
        of_row = (found.get((row.flow_id, purpose, version)) for purpose, _, version in names)
        row.found_keys = [key for key in of_row if key]  # type: ignore[attr-defined]


def _lines(*texts: str) -> SafeString:
    """Return texts below each other, each cut off where it is long; pointing at it shows it all."""
    said = ((text, text) for text in texts if text)
    return format_html_join("", '<div class="sg-short" title="{}">{}</div>', said)


def _finding(row: ExchangeRow) -> Finding | None:
    return finding(row.scheme, row.reason, row.step, row.code)


def _set(text: str) -> SafeString:
    """Return words of the partners' pages, where code and what matters are marked, as HTML."""
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
    return mark_safe(re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", text))  # noqa: S308 - escaped


class ExchangeList(KeysetChangeList):
    """The page's rows, with the keys that opened them."""

    def get_results(self, request: HttpRequest) -> None:
        """Read the rows, then the keys of all of them at once."""
        super().get_results(request)
        find_keys(self.result_list)


@admin.register(ExchangeRow)
class ExchangeAdmin(LongListAdmin):
    """What became of each request. It never held what was in them."""

    list_display = (
        "at",
        "called",
        "of_flow",
        "standing",
        "why",
        "answer",
        "opened_by",
        "source",
    )
    list_filter = (FlowOfContractFilter, SinceFilter, OutcomeFilter, SchemeFilter, ReasonFilter)
    list_select_related = ("flow__client",)
    narrowing = LongListAdmin.narrowing | {_OUTCOME, "scheme", "reason"}
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
        "found",
        "advice",
        "code",
        "http_status",
        "keys",
        "milliseconds",
        "request_size",
        "request_digest",
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        """Return the list that finds the keys, too."""
        return ExchangeList

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> ExchangeRow | None:
        """Return the row with the keys that opened it."""
        row: ExchangeRow | None = super().get_object(request, object_id, from_field)
        if row is not None:
            find_keys([row])
        return row

    # -- what the pages show -----------------------------------------------------------------

    @admin.display(description="Contract, operation")
    def called(self, row: ExchangeRow) -> SafeString:
        """Return whose address was called, whether a flow was found or not, and what for."""
        return _lines(registry.label(row.scheme), row.operation)

    @admin.display(description="Client, flow")
    def of_flow(self, row: ExchangeRow) -> SafeString:
        """Return who called, and the flow's address."""
        if row.flow is None:
            return SafeString("-")
        return _lines(row.flow.client.slug, row.flow.address)

    @display(  # type: ignore[untyped-decorator]  # the theme has no types
        description="Outcome",
        label={Outcome.OK: "success", Outcome.REFUSED: "warning", Outcome.FAILED: "danger"},
    )
    def standing(self, row: ExchangeRow) -> tuple[str, str]:
        """Return the outcome in a word; the page of the row says whose doing it was."""
        return row.outcome, "served" if row.outcome == Outcome.OK else row.outcome

    @admin.display(description="Reason, step")
    def why(self, row: ExchangeRow) -> SafeString:
        """Return why it was not served, and where that was found out."""
        return _lines(row.reason, row.step) or SafeString("-")

    @admin.display(description="Answer")
    def answer(self, row: ExchangeRow) -> SafeString:
        """Return the HTTP status and the contract's own code."""
        status = str(row.http_status)
        return _lines(status, "" if row.code == status else row.code)

    @admin.display(description="Opened by")
    def opened_by(self, row: ExchangeRow) -> SafeString:
        """Return the numbers of the versions that opened it; each link's title has the rest."""
        keys: Sequence[Key] = getattr(row, "found_keys", ())
        links = (
            (reverse("admin:tenants_key_change", args=[key.pk]), key, key.title, key.version)
            for key in keys
        )
        link = '<a class="text-link underline" href="{}" title="{}" aria-label="{}">v{}</a>'
        return format_html_join(" ", link, links) or SafeString("-")

    @admin.display(description="Opened by")
    def keys(self, row: ExchangeRow) -> SafeString:
        """Return the versions that opened the request, each with its fingerprint and a link."""
        keys: Sequence[Key] = getattr(row, "found_keys", ())
        links = ((reverse("admin:tenants_key_change", args=[key.pk]), key) for key in keys)
        link = '<a class="text-link underline" href="{}">{}</a>'
        return format_html_join(", ", link, links) or SafeString("-")

    @admin.display(description="What was found")
    def found(self, row: ExchangeRow) -> SafeString:
        """Return in words why the request was not served."""
        said = _finding(row)
        return _set(said.cause) if said else SafeString("-")

    @admin.display(description="What to tell the partner")
    def advice(self, row: ExchangeRow) -> SafeString:
        """Return what mends it."""
        said = _finding(row)
        return _set(said.fix) if said else SafeString("-")

    def meanings(self, term: str, given: Mapping[str, str]) -> Sequence[Q]:
        """Return a request id, or the flows of an address; they say the contract too."""
        scheme = given.get("scheme")
        of_scheme = Q(scheme=scheme) if scheme else Q()
        flows = Flow.objects.filter(of_scheme, address=term).order_by("pk").only("pk")
        return [Q(request_id=term) & of_scheme, *(Q(flow=flow) for flow in flows)]

    def branches(self, given: Mapping[str, str]) -> Sequence[Q]:
        """Complete what is given to contract or flow, and outcome or reason: what indexes have."""
        is_placed = any(given.get(name) for name in ("scheme", "flow__id__exact", "q"))
        is_judged = any(given.get(name) for name in (_OUTCOME, "reason"))
        if is_placed == is_judged:
            return [Q()]
        if is_placed:
            return [Q(outcome=outcome) for outcome in Outcome]
        return [Q(scheme=scheme) for scheme in registry.NAMES]
