"""The pages whose cost must not grow with the number of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from urllib.parse import urlencode

from django.urls import reverse

from callbacks.models import Delivery
from flows_endpoint.models import ExchangeRow
from tenants.models import AuditEntry, Flow, Key

#: The tables that grow without end, or with the number of keys.
LONG_TABLES = (
    "flows_endpoint_exchangerow",
    "tenants_auditentry",
    "tenants_key",
    "callbacks_delivery",
)


@dataclass(frozen=True, slots=True)
class Page:
    """A page by what it shows, and its address."""

    name: str
    url: str


def pages() -> list[Page]:
    """Return every page, for the rows that :mod:`tests.scale.filling` wrote."""
    return [
        Page("overview", reverse("admin:index")),
        *_exchanges(),
        *_audit(),
        *_keys(),
        *_deliveries(),
        *_others(),
    ]


def _exchanges() -> Iterator[Page]:
    url = reverse("admin:flows_endpoint_exchangerow_changelist")
    yield Page("exchanges", url)
    rows = ExchangeRow.objects.order_by("pk")
    middle = rows[rows.count() // 2]
    yield Page("exchanges: a request id", _with(url, q=middle.request_id))
    yield Page("exchanges: no such request id", _with(url, q="nothing-like-it"))
    yield Page("exchanges: a busy flow's address", _with(url, q="partner5"))
    yield Page("exchanges: a quiet flow's address", _with(url, q="partner8"))
    busy, quiet = (Flow.objects.get(address=f"partner{number}").pk for number in (5, 8))
    for name, flow in (("busy", busy), ("quiet", quiet)):
        yield Page(f"exchanges: of a {name} flow", _with(url, flow__id__exact=str(flow)))
    yield Page("exchanges: the last hour", _with(url, since="1h"))
    yield Page("exchanges: the last day", _with(url, since="24h"))
    yield Page("exchanges: flynn in the last day", _with(url, since="24h", scheme="flynn"))
    failing = Flow.objects.get(address="partner9").pk
    yield Page(
        "exchanges: ok of a flow that serves nothing",
        _with(url, outcome__exact="ok", flow__id__exact=str(failing)),
    )
    outcomes, reasons = ("", "ok", "refused", "failed"), ("", "stale", "source", "rate")
    for outcome, scheme, reason in product(outcomes, ("", "kairos", "flynn"), reasons):
        if outcome or scheme or reason:
            yield _narrowed(url, outcome, reason, scheme=scheme)
    for outcome, reason in product(outcomes, reasons):
        if bool(outcome) != bool(reason):
            yield _narrowed(url, outcome, reason, flow__id__exact=str(busy))
    yield from _deep("exchanges", url, middle.at)
    yield Page(
        "exchanges: opened", reverse("admin:flows_endpoint_exchangerow_change", args=[middle.pk])
    )


def _narrowed(url: str, outcome: str, reason: str, **place: str) -> Page:
    """Return the exchanges with an outcome, a reason, a contract or flow; empty: any."""
    given = {"outcome__exact": outcome, "reason": reason, **place}
    chosen = {name: value for name, value in given.items() if value}
    words = ["busy flow" if name == "flow__id__exact" else value for name, value in chosen.items()]
    return Page(f"exchanges: {' '.join(words)}", _with(url, **chosen))


def _audit() -> Iterator[Page]:
    url = reverse("admin:tenants_auditentry_changelist")
    yield Page("audit trail", url)
    middle = AuditEntry.objects.get(pk=AuditEntry.objects.count() // 2)
    for what, term in {
        "a request id": middle.request_id,
        "the product": "sealgate",
        "a person": "person-1",
        "a client": "client-1",
        "nobody": "nothing-like-it",
    }.items():
        yield Page(f"audit trail: {what}", _with(url, q=term))
    for verb in ("key.retire", "flow.update", "master_key.rotate", "key.destroy"):
        yield Page(f"audit trail: {verb}", _with(url, verb=verb))
        yield Page(f"audit trail: {verb} of a client", _with(url, verb=verb, q="client-1"))
        yield Page(f"audit trail: {verb} by a person", _with(url, verb=verb, q="person-1"))
    yield from _deep("audit trail", url, middle.at)
    yield Page("audit trail: opened", reverse("admin:tenants_auditentry_change", args=[middle.pk]))


def _keys() -> Iterator[Page]:
    url = reverse("admin:tenants_key_changelist")
    yield Page("keys", url)
    key = Key.objects.filter(state="revoked").order_by("pk")[0]
    yield Page("keys: a fingerprint's start", _with(url, q=key.fingerprint[:16]))
    yield Page("keys: a flow's address", _with(url, q="partner9"))
    yield Page("keys: a client", _with(url, q="client-1"))
    yield Page("keys: nothing", _with(url, q="nothing-like-it"))
    for state in ("active", "retiring", "revoked", "destroyed"):
        yield Page(f"keys: {state}", _with(url, state__exact=state))
        yield Page(f"keys: {state} isu", _with(url, state__exact=state, flow__scheme="isu"))
    for purpose in ("isu_aes", "pass_key"):
        yield Page(f"keys: {purpose}", _with(url, purpose=purpose))
    for scheme in ("isu", "flynn"):
        yield Page(f"keys: {scheme}", _with(url, flow__scheme=scheme))
    for used in ("day", "never"):
        yield Page(f"keys: used {used}", _with(url, used=used))
    yield from _deep("keys", url, key.created_at)
    yield Page("keys: opened", reverse("admin:tenants_key_change", args=[key.pk]))


def _deliveries() -> Iterator[Page]:
    url = reverse("admin:callbacks_delivery_changelist")
    yield Page("deliveries", url)
    rows = Delivery.objects.order_by("created_at", "pk")
    middle = rows[rows.count() // 2]
    for what, term in {
        "an id": str(middle.pk),
        "a subject": middle.subject,
        "a busy flow's address": "partner5",
        "a quiet flow's address": "partner8",
        "nothing": "nothing-like-it",
    }.items():
        yield Page(f"deliveries: {what}", _with(url, q=term))
    for state in ("pending", "delivered", "failed", "cancelled"):
        yield Page(f"deliveries: {state}", _with(url, state__exact=state))
        for number, name in ((5, "busy"), (9, "failing"), (8, "quiet")):
            flow = str(Flow.objects.get(address=f"partner{number}").pk)
            yield Page(
                f"deliveries: {state} of a {name} flow",
                _with(url, state__exact=state, flow__id__exact=flow),
            )
    yield Page("deliveries: of an endpoint", _with(url, endpoint="5"))
    yield Page("deliveries: the last hour", _with(url, since="1h"))
    yield from _deep("deliveries", url, middle.created_at)
    yield Page("deliveries: opened", reverse("admin:callbacks_delivery_change", args=[middle.pk]))
    yield Page("page of an endpoint", reverse("admin:callbacks_endpoint_change", args=[5]))


def _others() -> Iterator[Page]:
    yield Page("clients", reverse("admin:tenants_client_changelist"))
    yield Page("flows", reverse("admin:tenants_flow_changelist"))
    for name, number in (("busy", 5), ("quiet", 9)):
        flow = Flow.objects.get(address=f"partner{number}")
        yield Page(f"page of a {name} flow", reverse("admin:tenants_flow_change", args=[flow.pk]))
        yield Page(f"its history, {name}", reverse("admin:tenants_flow_history", args=[flow.pk]))
    client = Flow.objects.get(address="partner5").client_id
    yield Page("page of a client", reverse("admin:tenants_client_change", args=[client]))


def _deep(name: str, url: str, at: datetime) -> Iterator[Page]:
    yield Page(f"{name}: the middle", _with(url, before=at.isoformat()))
    yield Page(f"{name}: the middle, upwards", _with(url, after=at.isoformat()))
    yield Page(f"{name}: the oldest", _with(url, after=""))


def _with(url: str, **query: str) -> str:
    return f"{url}?{urlencode(query)}"
