"""How people write flows, key versions and times on the command line."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Final

from django.core.management.base import CommandError
from django.db.models import QuerySet

from tenants.models import Flow, Key

FLOW_HELP: Final = "SCHEME/ADDRESS, or the flow's id."
KEY_HELP: Final = "SCHEME/ADDRESS/PURPOSE/VERSION, or the id of the version."


def find_flow(text: str) -> Flow:
    """Return the flow a person wrote. Raises CommandError."""
    flows = Flow.objects.select_related("client")
    scheme, separator, address = text.partition("/")
    found = flows.filter(scheme=scheme, address=address) if separator else by_id(flows, text)
    flow = found.first()
    if flow is None:
        raise CommandError(f"There is no flow {text}. Write it as {FLOW_HELP}")
    return flow


def find_key(text: str) -> Key:
    """Return the key version a person wrote. Raises CommandError."""
    keys = Key.objects.select_related("flow__client")
    parts = text.split("/")
    found = keys.none()
    if len(parts) == 1:
        found = by_id(keys, text)
    elif len(parts) == 4 and parts[3].isdecimal() and len(parts[3]) < 10:
        scheme, address, purpose, version = parts
        found = keys.filter(
            flow__scheme=scheme, flow__address=address, purpose=purpose, version=int(version)
        )
    key = found.first()
    if key is None:
        raise CommandError(f"There is no key version {text}. Write it as {KEY_HELP}")
    return key


def by_id(rows: QuerySet[Any], text: str) -> QuerySet[Any]:
    """Return the row whose id ``text`` is, or none."""
    try:
        return rows.filter(pk=uuid.UUID(text))
    except ValueError:
        return rows.none()


def iso_time(at: datetime | None) -> str | None:
    """Return a time as JSON reports write it."""
    return None if at is None else at.isoformat()
