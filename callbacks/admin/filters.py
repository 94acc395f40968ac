"""Filters of the lists of deliveries."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import HttpRequest

from callbacks.models import Delivery, DeliveryState, Endpoint
from tenants.admin.base import AnyModelAdmin, ListedFilter
from tenants.admin.list_filters import LinkedFilter, SinceFilter


class MadeFilter(SinceFilter):
    """By how long ago it was made."""

    column = "created_at"


class StateFilter(ListedFilter):
    """By where it stands."""

    title = "state"
    parameter_name = "state__exact"
    values = tuple(DeliveryState.values)

    def lookups(self, request: HttpRequest, model_admin: AnyModelAdmin) -> list[tuple[str, str]]:
        """Return the states in words."""
        return list(DeliveryState.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the deliveries in the state."""
        rows: QuerySet[Any] = super().queryset(request, queryset)
        # The condition of the index, in its words.
        is_few = self.value() and self.value() != DeliveryState.DELIVERED
        return rows.exclude(state="delivered") if is_few else rows


class EventFilter(LinkedFilter):
    """By event."""

    title = "event"
    parameter_name = "event"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        """Return the deliveries of the event."""
        chosen = self.value()
        if chosen and "\x00" in chosen:
            raise IncorrectLookupParameters
        return queryset.filter(event=chosen) if chosen else queryset


class EndpointFilter(LinkedFilter):
    """By endpoint."""

    title = "endpoint"
    parameter_name = "endpoint"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        """Return the deliveries of the endpoint; its flow has the index."""
        endpoint = endpoint_of(self.value())
        if endpoint is None:
            return queryset.none() if self.value() else queryset
        return queryset.filter(flow=endpoint.flow_id, endpoint=endpoint)


def endpoint_of(text: str | None) -> Endpoint | None:
    """Return the endpoint that an address names by its number, None if there is none."""
    if not text or not text.isdecimal() or len(text) > 18:
        return None
    return Endpoint.objects.select_related("flow").filter(pk=int(text)).first()
