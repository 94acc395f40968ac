"""Deliveries, attempts, endpoints and replays as the command line shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from callbacks.models import Attempt, Delivery, Endpoint, Replay
from tenants.management.naming import iso_time

#: Columns of text that a table takes at most.
_WIDTH: Final = 160


def delivery(row: Delivery) -> dict[str, Any]:
    """Return a delivery as a JSON object, without its body."""
    return {
        "id": str(row.pk),
        "scheme": row.flow.scheme,
        "address": row.flow.address,
        "channel": row.channel,
        "event": row.event,
        "subject": row.subject,
        "lane": row.lane,
        "state": str(row.state),
        "attempts": row.attempts,
        "last_status": row.last_status,
        "last_error": row.last_error,
        "created_at": iso_time(row.created_at),
        "next_attempt_at": iso_time(row.next_attempt_at),
        "settled_at": iso_time(row.settled_at),
        "replay": str(row.replay_id) if row.replay_id else None,
    }


def attempt(row: Attempt) -> dict[str, Any]:
    """Return an attempt as a JSON object, without what the receiver answered."""
    phases = ("dns_ms", "connect_ms", "tls_ms", "first_byte_ms", "rest_ms", "total_ms")
    return {
        "number": row.number,
        "started_at": iso_time(row.started_at),
        **{name: getattr(row, name) for name in phases},
        "status": row.status,
        "error": row.error,
        "why": row.why,
        "worker": row.worker,
    }


def endpoint(row: Endpoint) -> dict[str, Any]:
    """Return an endpoint as a JSON object."""
    return {
        "scheme": row.flow.scheme,
        "address": row.flow.address,
        "channel": row.channel,
        "state": str(row.state),
        "state_reason": row.state_reason,
        "breaker": str(row.breaker),
        "failures": row.failures,
        "failing_since": iso_time(row.failing_since),
    }


def replay(row: Replay) -> dict[str, Any]:
    """Return a replay as a JSON object."""
    return {
        "id": str(row.pk),
        "state": str(row.state),
        "since": iso_time(row.since),
        "until": iso_time(row.until),
        "client": row.client.slug if row.client else None,
        "scheme": row.flow.scheme if row.flow else None,
        "address": row.flow.address if row.flow else None,
        "event": row.event,
        "states": row.states,
        "total": row.total,
        "seen": row.seen,
        "queued": row.queued,
        "requested_by": row.requested_by,
        "reason": row.reason,
        "created_at": iso_time(row.created_at),
        "ended_at": iso_time(row.ended_at),
    }


def table(facts: Iterable[Mapping[str, Any]], columns: Sequence[str], console: Console) -> None:
    """Print a line for each of ``facts``."""
    lines = Table(*(name.replace("_", " ") for name in columns), box=None, padding=(0, 2, 0, 0))
    for row in facts:
        lines.add_row(*(Text(_shown(row[name])) for name in columns))
    # Cutting ids off helps nobody: a narrow screen wraps the lines.
    console.width = max(console.width, _WIDTH)
    console.print(lines, crop=False)


def sentences(facts: Mapping[str, Any], console: Console) -> None:
    """Print what is known, a line each."""
    for name, value in facts.items():
        if value not in (None, "", []):
            console.print(Text(f"{name.replace('_', ' ')}: {_shown(value)}"), soft_wrap=True)


def _shown(value: Any) -> str:
    return "" if value is None else str(value)
