"""Links opened, and what there is of them."""

from __future__ import annotations

from typing import Any

from tenants import lifecycle
from tenants.actors import Actor
from tenants.lifecycle import (
    HandedOver,
    IssuedHandOver,
)
from tenants.models import AuditEntry, Flow, HandOver, Key, KeyringEpoch

CLOSED = (
    "This link does not open: it was opened before, has expired, was withdrawn, or is not "
    "complete. Ask whoever sent it for a new one."
)
SOURCE = "203.0.113.7"


def open_(token: str) -> HandedOver:
    """Open a link from :data:`SOURCE`."""
    return lifecycle.open_handover(token, address=SOURCE, request_id="request-1")


def state() -> tuple[Any, ...]:
    """Return everything a verb on hand-overs could have changed."""
    return (
        list(HandOver.objects.values().order_by("pk")),
        list(HandOver.keys.through.objects.values_list("handover_id", "key_id").order_by("pk")),
        list(Key.objects.values().order_by("pk")),
        AuditEntry.objects.count(),
        KeyringEpoch.objects.get().value,
    )


def covered(issued: IssuedHandOver) -> list[tuple[str, int]]:
    """Return purpose and version of each key a link is for."""
    return [(key.purpose, key.version) for key in issued.keys]


def switch_off(flow: Flow, actor: Actor, switch: str) -> None:
    """Switch off the ``flow`` or its ``client``."""
    if switch == "flow":
        lifecycle.update_flow(actor, flow, {"is_enabled": False})
    else:
        lifecycle.update_client(actor, flow.client, {"is_enabled": False})
