"""Filters that ask a long table for nothing but its rows."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from tenants.models import Flow

if TYPE_CHECKING:
    from tenants.admin.base import AnyModelAdmin

_SPANS: Final = {
    "1h": ("Last hour", timedelta(hours=1)),
    "24h": ("Last 24 hours", timedelta(hours=24)),
    "7d": ("Last 7 days", timedelta(days=7)),
    "30d": ("Last 30 days", timedelta(days=30)),
}


class SinceFilter(admin.SimpleListFilter):
    """By how long ago it was."""

    #: The column of the time.
    column = "at"
    title = "time"
    parameter_name = "since"

    def lookups(self, request: HttpRequest, model_admin: AnyModelAdmin) -> list[tuple[str, str]]:
        """Return the spans to choose from."""
        return [(name, words) for name, (words, _) in _SPANS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of the chosen span. Raises IncorrectLookupParameters."""
        chosen = self.value()
        if not chosen:
            return queryset
        if chosen not in _SPANS:
            raise IncorrectLookupParameters
        return queryset.filter(**{f"{self.column}__gte": timezone.now() - _SPANS[chosen][1]})


class LinkedFilter(admin.SimpleListFilter):
    """Reached by links, and shown only to be taken away again."""

    def lookups(self, request: HttpRequest, model_admin: AnyModelAdmin) -> list[tuple[str, str]]:
        """Return nothing: there may be many thousand."""
        return []

    def has_output(self) -> bool:
        """Return whether one is chosen."""
        return bool(self.value())

    def chosen(self) -> str | None:
        """Return what is chosen, in words."""
        return self.value()

    def choices(self, changelist: Any) -> Any:
        """Return the way back to all, and the chosen one."""
        yield {
            "selected": False,
            "query_string": changelist.get_query_string(remove=[self.parameter_name]),
            "display": "All",
        }
        yield {
            "selected": True,
            "query_string": changelist.get_query_string(),
            "display": self.chosen(),
        }


class FlowFilter(LinkedFilter):
    """By flow."""

    title = "flow"
    parameter_name = "flow__id__exact"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.flow: Flow | None = None
        chosen = self.value()
        if chosen:
            try:
                self.flow = Flow.objects.order_by().filter(pk=uuid.UUID(chosen)).first()
            except ValueError:
                raise IncorrectLookupParameters from None

    def chosen(self) -> str | None:
        """Return the flow, as it is called."""
        return str(self.flow or "unknown")

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of the chosen flow."""
        if not self.value():
            return queryset
        return queryset.filter(flow=self.flow) if self.flow else queryset.none()
