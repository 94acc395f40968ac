"""How each flow's endpoint does, by the measures the platform watches, before the platform says so.

Computed every minute from the exchange log: an indexed read of the latest requests of half an hour,
never more than :data:`MOST_ROWS`. A warning comes at half of each of the platform's thresholds and
at the threshold itself: that is one *mark* each, and a level is how many marks are passed.

Only what reached us can be counted. Requests whose signature was wrong are nobody's: they count
neither way, or a stranger could make an endpoint look ill, or well.

Source: Meta, "Flow health and monitoring" (error rate and latency over 30 minutes, availability
over 10).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from flows_endpoint.models import ExchangeRow
from flows_endpoint.whatsapp_flows.errors import CANNOT_OPEN, INVALID_TOKEN, OK, OWN_FAILURE
from flows_endpoint.whatsapp_flows.models import FlowHealth
from flows_endpoint.whatsapp_flows.webhook import CHALLENGE, UPDATES
from tenants.models import Flow

logger = logging.getLogger(__name__)

WINDOW: Final = timedelta(minutes=30)
AVAILABILITY_WINDOW: Final = timedelta(minutes=10)
#: Milliseconds after which a phone has given up.
TIME_OUT: Final = 10_000.0
#: Requests looked at, the latest ones.
MOST_ROWS: Final = 5000

#: The platform's thresholds: shares of failed requests, milliseconds at p90, share of failed
#: requests at which it calls an endpoint unavailable.
ERROR_SHARES: Final = (0.05, 0.10, 0.50)
LATENCIES: Final = (1000.0, 5000.0, 7000.0)
UNAVAILABLE_SHARES: Final = (0.10,)

#: Fewer requests, or fewer failed ones, say nothing.
_LEAST_REQUESTS: Final = 10
_LEAST_ERRORS: Final = 3
#: Statuses of requests that came from the platform for sure.
_COUNTED: Final = (OK, CANNOT_OPEN, INVALID_TOKEN, OWN_FAILURE)
_OTHER_OPERATIONS: Final = ("webhook", CHALLENGE, UPDATES)


def marks(thresholds: Sequence[float]) -> tuple[float, ...]:
    """Return half of each threshold and each threshold, in order."""
    return tuple(sorted({part for whole in thresholds for part in (whole / 2, whole)}))


def level_of(value: float, thresholds: Sequence[float]) -> int:
    """Return how many marks ``value`` has reached."""
    return sum(value >= mark for mark in marks(thresholds))


@dataclass(frozen=True, slots=True)
class Measures:
    """What the latest requests of a flow say. Latencies are milliseconds."""

    requests: int
    errors: int
    p50: float | None
    p90: float | None
    recent: int
    recent_errors: int

    @property
    def error_level(self) -> int:
        """Return the level of the share of failed requests."""
        return _share_level(self.errors, self.requests, ERROR_SHARES)

    @property
    def latency_level(self) -> int:
        """Return the level of the 90th percentile."""
        is_known = self.p90 is not None and self.requests >= _LEAST_REQUESTS
        return level_of(self.p90 or 0, LATENCIES) if is_known else 0

    @property
    def availability_level(self) -> int:
        """Return the level of the share of failed requests within ten minutes."""
        return _share_level(self.recent_errors, self.recent, UNAVAILABLE_SHARES)


def measure(flow_id: str, now: datetime) -> Measures:
    """Return the measures of a flow at ``now``. One query."""
    rows = list(
        ExchangeRow.objects.filter(flow_id=flow_id, at__gt=now - WINDOW, at__lte=now)
        .filter(http_status__in=_COUNTED)
        .exclude(operation__in=_OTHER_OPERATIONS)
        .order_by("-at")
        .values_list("at", "http_status", "milliseconds")[:MOST_ROWS]
    )
    times = sorted(milliseconds for _, _, milliseconds in rows)
    failed = [at for at, status, time in rows if status == OWN_FAILURE or time > TIME_OUT]
    since = now - AVAILABILITY_WINDOW
    return Measures(
        requests=len(rows),
        errors=len(failed),
        p50=_percentile(times, 50),
        p90=_percentile(times, 90),
        recent=sum(at > since for at, _, _ in rows),
        recent_errors=sum(at > since for at in failed),
    )


def measure_all(now: datetime | None = None) -> int:
    """Measure every WhatsApp flow in service; return how many are at a mark or beyond."""
    moment = now or timezone.now()
    before = {row.flow_id: row for row in FlowHealth.objects.all()}
    flows = Flow.objects.filter(
        scheme="whatsapp_flows", is_enabled=True, client__is_enabled=True
    ).order_by("pk")
    ill = 0
    for flow in flows:
        row = _row(flow, measure(str(flow.pk), moment), moment)
        ill += row.worst_level > 0
        known = before.pop(flow.pk, None)
        if known is None and not row.requests:
            continue  # nothing ever asked
        _warn(flow, known, row)
        if known is None:
            row.save(force_insert=True)
        else:
            row.save(force_update=True)
    FlowHealth.objects.filter(flow__in=list(before)).delete()  # no longer in service
    return ill


def _row(flow: Flow, measures: Measures, now: datetime) -> FlowHealth:
    levels = (measures.error_level, measures.latency_level, measures.availability_level)
    return FlowHealth(
        flow=flow,
        computed_at=now,
        requests=measures.requests,
        errors=measures.errors,
        p50=measures.p50,
        p90=measures.p90,
        recent=measures.recent,
        recent_errors=measures.recent_errors,
        error_level=levels[0],
        latency_level=levels[1],
        availability_level=levels[2],
        worst_level=max(levels),
    )


def _warn(flow: Flow, known: FlowHealth | None, row: FlowHealth) -> None:
    """Log each measure that reached another mark since the last look."""
    for name, what in (
        ("error_level", f"{row.errors} of {row.requests} requests failed within 30 minutes"),
        ("latency_level", f"the 90th percentile is {row.p90 or 0:.0f} ms"),
        ("availability_level", f"{row.recent_errors} of {row.recent} failed within 10 minutes"),
    ):
        if getattr(row, name) > (0 if known is None else getattr(known, name)):
            logger.warning(
                "WhatsApp flow %s comes near a threshold of the platform: %s.", flow.pk, what
            )


def _share_level(errors: int, requests: int, thresholds: Sequence[float]) -> int:
    if requests < _LEAST_REQUESTS or errors < _LEAST_ERRORS:
        return 0
    return level_of(errors / requests, thresholds)


def _percentile(times: Sequence[float], percent: int) -> float | None:
    """Return the nearest-rank percentile of sorted ``times``; None of none."""
    if not times:
        return None
    return times[(len(times) * percent + 99) // 100 - 1]
