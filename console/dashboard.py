"""What the first page shows: what needs somebody, and how the last day went."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from callbacks import ready
from callbacks.models import Delivery, DeliveryState
from crypto_schemes import registry
from flows_endpoint import attention
from flows_endpoint.attention import Notice, Tile
from flows_endpoint.models import Outcome
from flows_endpoint.traffic import last_day
from tenants import key_attention, lifecycle
from tenants.lifecycle.requests import waiting
from tenants.management.commands.first_admin import FIRST_NAME, FIRST_PASSWORD
from tenants.models import ApprovalState, Key, KeyState
from tenants.schemes_in_use import schemes_in_use

__all__ = ["Tile", "Traffic", "dashboard", "traffic"]

_DAY: Final = timedelta(days=1)
#: A callback this late is waiting for a worker, not for its schedule.
_LATE: Final = timedelta(minutes=1)
#: Callbacks counted no further than this: a backlog has no bound, and this page has to open.
_MOST: Final = 1000
#: How old the figures of the requests may be.
_TRAFFIC_SECONDS: Final = 60
_TRAFFIC: Final = "sealgate-dashboard-traffic"


@dataclass(frozen=True, slots=True)
class Traffic:
    """The requests of one contract within the last day, by outcome."""

    scheme: str
    served: int
    refused: int
    failed: int

    @property
    def total(self) -> int:
        """Return all of them."""
        return self.served + self.refused + self.failed

    @property
    def error_percent(self) -> float:
        """Return how many of a hundred were not served."""
        return round(100 * (self.refused + self.failed) / self.total, 1) if self.total else 0.0


def dashboard(request: HttpRequest) -> dict[str, Any]:
    """Return notices, tiles and charts, each for who may open the list behind it."""
    may = request.user.has_perm
    tiles: list[Tile] = []
    charts: list[dict[str, str]] = []
    notices: list[Notice] = _first_password_notices(request.user)
    if may("tenants.view_key"):
        tiles += _key_tiles()
        notices += _key_notices()
    if may("tenants.view_approvalrequest"):
        tiles.append(_approval_tile())
    if may("flows_endpoint.view_exchangerow"):
        rows = traffic()
        tiles.append(_traffic_tile(rows))
        have_flows = schemes_in_use(row.scheme for row in rows if not row.total)
        charts = _charts([row for row in rows if row.total or row.scheme in have_flows])
    if may("callbacks.view_delivery"):
        tiles += _callback_tiles()
    of_contracts = attention.gathered(request)
    tiles += of_contracts.tiles
    notices += of_contracts.notices
    return {"tiles": tiles, "charts": charts, "notices": notices}


def traffic() -> list[Traffic]:
    """Return the last day of every contract; at most a minute old."""
    rows: list[Traffic] | None = cache.get(_TRAFFIC)
    if rows is None:
        by = last_day(timezone.now())
        rows = [
            Traffic(
                scheme=name,
                served=by[name, Outcome.OK],
                refused=by[name, Outcome.REFUSED],
                failed=by[name, Outcome.FAILED],
            )
            for name in registry.NAMES
        ]
        cache.set(_TRAFFIC, rows, _TRAFFIC_SECONDS)
    return rows


def _key_tiles() -> list[Tile]:
    now = timezone.now()
    keys = reverse("admin:tenants_key_changelist")
    old = Key.objects.filter(key_attention.is_lagging(now))
    lagging = old.count()
    near = lifecycle.count_near_expiry(now)
    expiring = sum(near.values())
    # Each by its own index, which one condition with OR would not use.
    pressing = expiring + old.exclude(lifecycle.near_expiry(now)).count()
    moving = Key.objects.filter(state__in=(KeyState.STAGED, KeyState.RETIRING)).order_by()
    rotations = moving.values("flow_id", "purpose").distinct().count()
    return [
        Tile(
            title="Keys that need attention",
            value=str(pressing),
            note=f"{expiring} near or past expiry; {lagging} old, in use, about to end",
            url=f"{keys}?attention=any",
            is_alarm=lagging > 0 or expiring > near[30],
        ),
        Tile(
            title="Rotations in progress",
            value=str(rotations),
            note="secrets with a staged or retiring version",
            url=f"{keys}?state__in={KeyState.STAGED},{KeyState.RETIRING}",
        ),
    ]


def _key_notices() -> list[Notice]:
    """Return what is said of keys that must be replaced today, if anything."""
    near = lifecycle.count_near_expiry()
    said = [
        f"{count} key{'' if count == 1 else 's'} {what}"
        for count, what in ((near[0], "past the expiry"), (near[1], "within a day of it"))
        if count
    ]
    if not said:
        return []
    url = f"{reverse('admin:tenants_key_changelist')}?attention=pressing"
    return [Notice(f"{', '.join(said)}: replace them. They go on opening until then.", url)]


def _first_password_notices(user: Any) -> list[Notice]:
    """Return that the first administrator's password still lies on the disk, if it does.

    It is a superuser's, and nobody else may change it.
    """
    file = settings.VAR_DIR / FIRST_PASSWORD
    if not user.is_superuser or not file.exists():
        return []
    text = f"The first administrator's password still stands in {file}: change it, delete the file."
    first = get_user_model().objects.filter(username=FIRST_NAME).first()
    if first is None or first == user:
        return [Notice(text, reverse("admin:password_change"))]
    return [Notice(text, reverse("admin:auth_user_password_change", args=[first.pk]))]


def _approval_tile() -> Tile:
    rows = waiting()
    first = rows.values_list("expires_at", flat=True).first()
    count = rows.count()
    requests = reverse("admin:tenants_approvalrequest_changelist")
    return Tile(
        title="Waiting for a second person",
        value=str(count),
        note=f"the first until {first:%Y-%m-%d %H:%M} UTC" if first else "nothing to decide",
        url=f"{requests}?state={ApprovalState.PENDING}",
        is_alarm=count > 0,
    )


def _traffic_tile(rows: list[Traffic]) -> Tile:
    total = sum(row.total for row in rows)
    wrong = total - sum(row.served for row in rows)
    failed = sum(row.failed for row in rows)
    exchanges = reverse("admin:flows_endpoint_exchangerow_changelist")
    share = f"{100 * wrong / total:.1f} %" if total else "none"
    return Tile(
        title="Requests, 24 hours",
        value=str(total),
        note=f"not served: {share}; {failed} failed on our side",
        url=f"{exchanges}?at__gte={_written(timezone.now() - _DAY)}",
        is_alarm=failed > 0,
    )


def _callback_tiles() -> list[Tile]:
    now = timezone.now()
    deliveries = reverse("admin:callbacks_delivery_changelist")
    # The second condition is that of an index, in its words.
    pending = Delivery.objects.filter(state=DeliveryState.PENDING).exclude(
        state=DeliveryState.DELIVERED
    )
    late = _count(ready.overdue(now - _LATE))
    dead = Delivery.objects.exclude(state="delivered").filter(state=DeliveryState.FAILED)
    failed = _count(dead.filter(created_at__gte=now - _DAY))
    return [
        Tile(
            title="Deliveries waiting",
            value=_figure(_count(pending)),
            note=f"{_figure(late)} of them overdue",
            url=f"{deliveries}?state__exact={DeliveryState.PENDING}",
            is_alarm=late > 0,
        ),
        Tile(
            title="Deliveries failed, 24 hours",
            value=_figure(failed),
            note="given up after the last attempt",
            url=f"{deliveries}?state__exact={DeliveryState.FAILED}"
            f"&created_at__gte={_written(now - _DAY)}",
            is_alarm=failed > 0,
        ),
    ]


def _count(rows: QuerySet[Delivery]) -> int:
    """Return how many there are, and no more than one beyond :data:`_MOST`."""
    return rows.order_by()[: _MOST + 1].count()


def _figure(count: int) -> str:
    return str(count) if count <= _MOST else f"> {_MOST}"


def _written(moment: datetime) -> str:
    """Return ``moment`` as the address of a list takes it."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _charts(rows: list[Traffic]) -> list[dict[str, str]]:
    if not rows:
        return []
    labels = [registry.label(row.scheme) for row in rows]
    blue, orange, red = "var(--color-primary-600)", "#f59e0b", "#dc2626"
    requests = [
        _bars("Served", [row.served for row in rows], blue),
        _bars("Refused", [row.refused for row in rows], orange),
        _bars("Failed", [row.failed for row in rows], red),
    ]
    share = [_bars("Not served", [row.error_percent for row in rows], orange, suffix="%")]
    return [
        {"title": title, "data": json.dumps({"labels": labels, "datasets": datasets})}
        for title, datasets in (
            ("Requests, 24 hours: served, refused (orange), failed (red)", requests),
            ("Share not served, 24 hours", share),
        )
    ]


def _bars(label: str, data: list[Any], color: str, *, suffix: str = "") -> dict[str, Any]:
    """Return a row of bars, on top of those before it, beside an axis with figures."""
    look = {"backgroundColor": color, "maxBarThickness": 32, "borderRadius": 4}
    axis = {"stack": "one", "displayYAxis": True, "suffixYAxis": suffix}
    return {"label": label, "data": data, **look, **axis}
