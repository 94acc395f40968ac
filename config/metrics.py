"""``/metrics`` for Prometheus: what the processes counted, and how things stand in the database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.db.models import Count, Min, Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from callbacks.models import Delivery, DeliveryState
from crypto_schemes.ciphers import mac
from tenants import lifecycle
from tenants.source_address import caller_address, is_within, parse_address, parse_networks

_BEARER: Final = "bearer "
#: Attempts begun by deliveries that are still pending, under the name each number has.
_ATTEMPTS: Final = (
    ("0", Q(attempts=0)),
    ("1", Q(attempts=1)),
    ("2_to_4", Q(attempts__range=(2, 4))),
    ("5_or_more", Q(attempts__gte=5)),
)
#: Days until the expiry of a version in force; each version counts at the closest it has reached.
_EXPIRY: Final = (0, 1, 7, 30, 90)


def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with everything that is counted, for who may know it."""
    if not _may_know(request):
        refused = JsonResponse({"error": "Not for you; see SEALGATE_METRICS_TOKEN."}, status=401)
        refused["WWW-Authenticate"] = "Bearer"
        return refused
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(settings.METRICS_DIR))
    registry.register(Stock())
    reply = HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
    reply["Cache-Control"] = "no-store"
    return reply


class Stock(Collector):
    """How many callbacks wait and how many keys are about to expire, asked when somebody asks."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges; where the database cannot be asked, only the one that says so."""
        now = timezone.now()
        try:
            gauges = [*_callbacks(now), _expiring(now)]
        except (DatabaseError, InterfaceError):
            gauges = []
        yield GaugeMetricFamily(
            "sealgate_database_up",
            "Whether the database could be asked, 1 or 0; where not, what is counted in it lacks.",
            value=int(bool(gauges)),
        )
        yield from gauges


def _callbacks(now: datetime) -> Iterator[GaugeMetricFamily]:
    pending = Delivery.objects.filter(state=DeliveryState.PENDING).aggregate(
        **{f"begun_{name}": Count("pk", filter=condition) for name, condition in _ATTEMPTS},
        due=Count("pk", filter=Q(next_attempt_at__lte=now)),
        oldest=Min("next_attempt_at", filter=Q(next_attempt_at__lte=now)),
    )
    backlog = GaugeMetricFamily(
        "sealgate_callbacks_pending",
        "Callbacks not delivered yet, by attempts begun.",
        labels=("attempts",),
    )
    for name, _ in _ATTEMPTS:
        backlog.add_metric((name,), pending[f"begun_{name}"])
    yield backlog
    yield GaugeMetricFamily(
        "sealgate_callbacks_due", "Callbacks whose next attempt is due.", value=pending["due"]
    )
    late = (now - pending["oldest"]).total_seconds() if pending["oldest"] else 0.0
    yield GaugeMetricFamily(
        "sealgate_callbacks_late_seconds",
        "Seconds the longest due one has waited.",
        value=late,
    )
    yield GaugeMetricFamily(
        "sealgate_callbacks_failed_last_day",
        "Callbacks of the last 24 hours that failed for good.",
        value=Delivery.objects.filter(
            state=DeliveryState.FAILED, created_at__gt=now - timedelta(days=1)
        ).count(),
    )


def _expiring(now: datetime) -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "sealgate_keys_expiring",
        "Key versions in force by days until they expire: at most so many; 0 are past it.",
        labels=("days",),
    )
    for days, count in lifecycle.count_near_expiry(now, _EXPIRY).items():
        family.add_metric((str(days),), count)
    return family


def _may_know(request: HttpRequest) -> bool:
    """Return whether the caller has the token, or, where there is none, an allowed address.

    Behind a proxy that is not trusted everybody would have the proxy's address: then an address
    proves nothing.
    """
    token: str = settings.METRICS_TOKEN
    if token:
        given = request.META.get("HTTP_AUTHORIZATION", "")
        has_bearer = given[: len(_BEARER)].lower() == _BEARER
        return mac.equal(token, given[len(_BEARER) :].strip()) and has_bearer
    peer = parse_address(request.META.get("REMOTE_ADDR", ""))
    trusted = parse_networks(settings.TRUSTED_PROXIES)
    if peer is None or ("HTTP_X_FORWARDED_FOR" in request.META and not is_within(peer, trusted)):
        return False
    caller = parse_address(caller_address(request))
    return caller is not None and is_within(caller, parse_networks(settings.METRICS_NETWORKS))
