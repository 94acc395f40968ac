"""Which deliveries an operator means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from django.db.models import Q, QuerySet
from django.utils import timezone

from callbacks.models import Delivery, Endpoint
from tenants.models import Client, Flow

#: Deliveries in one piece, which is one transaction.
PIECE: Final = 500


@dataclass(frozen=True, slots=True)
class Selection:
    """Deliveries made from ``since`` until before ``until``, of a client, flow, endpoint…

    What is left out narrows nothing; no ``states`` are all of them.
    """

    client: Client | None = None
    flow: Flow | None = None
    endpoint: Endpoint | None = None
    event: str = ""
    states: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None

    @property
    def scope(self) -> QuerySet[Delivery]:
        """Return the deliveries of the client, flow or endpoint in the time, whatever they are.

        An index holds them in the order they were made, which is the order here.
        """
        rows = Delivery.objects.order_by("created_at", "pk")
        if self.client is not None:
            rows = rows.filter(flow__client=self.client)
        if self.flow is not None:
            rows = rows.filter(flow=self.flow)
        if self.endpoint is not None:  # its flow has the index
            rows = rows.filter(flow=self.endpoint.flow_id, endpoint=self.endpoint)
        if self.since is not None:
            rows = rows.filter(created_at__gte=self.since)
        if self.until is not None:
            rows = rows.filter(created_at__lt=self.until)
        return rows

    @property
    def rows(self) -> QuerySet[Delivery]:
        """Return the deliveries, in the order they were made."""
        rows = self.scope
        if self.event:
            rows = rows.filter(event=self.event)
        return rows.filter(state__in=self.states) if self.states else rows

    def pieces(self) -> Iterator[list[Delivery]]:
        """Yield the deliveries there are now, each once, at most :data:`PIECE` at a time."""
        until = min(self.until or timezone.now(), timezone.now())
        rows = replace(self, until=until).rows.only("pk", "endpoint_id", "lane", "created_at")
        beyond = Q()
        while piece := list(rows.filter(beyond)[:PIECE]):
            yield piece
            beyond = after(piece[-1].created_at, piece[-1].pk)

    @property
    def facts(self) -> dict[str, Any]:
        """Return what was asked for, as the audit trail writes it."""
        said = {
            "client": self.client.slug if self.client else None,
            "flow": str(self.flow.pk) if self.flow else None,
            "endpoint": self.endpoint.pk if self.endpoint else None,
            "event": self.event or None,
            "states": sorted(self.states) or None,
            "since": self.since.isoformat() if self.since else None,
            "until": self.until.isoformat() if self.until else None,
        }
        return {name: value for name, value in said.items() if value is not None}


def after(at: datetime, key: Any) -> Q:
    """Return the condition for what comes after a row made ``at`` with the primary key ``key``."""
    # The first part is what an index finds; the second is for rows of the very same time.
    return Q(created_at__gte=at) & (Q(created_at__gt=at) | Q(pk__gt=key))
