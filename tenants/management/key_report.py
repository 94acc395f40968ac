"""Key versions as the command line shows them: one JSON object each, sentences, a table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tenants.management.naming import iso_time
from tenants.models import Key

#: Columns of text that a table takes at most.
_WIDTH: Final = 160
_COLUMNS: Final = ("flow", "purpose", "version", "state", "fingerprint", "last used", "uses")


def facts(key: Key) -> dict[str, Any]:
    """Return ``key`` as a JSON object, without its secret."""
    return {
        "id": str(key.pk),
        "client": key.flow.client.slug,
        "flow": str(key.flow_id),
        "scheme": key.flow.scheme,
        "address": key.flow.address,
        "purpose": key.purpose,
        "version": key.version,
        "state": str(key.state),
        "fingerprint": key.fingerprint,
        "created_at": iso_time(key.created_at),
        "activated_at": iso_time(key.activated_at),
        "accept_until": iso_time(key.accept_until),
        "ended_at": iso_time(key.ended_at),
        "end_reason": key.end_reason,
        "expires_at": iso_time(key.expires_at),
        "destroy_at": iso_time(key.destroy_at),
        "last_used_at": iso_time(key.last_used_at),
        "use_count": key.use_count,
    }


def say(key: Key, console: Console) -> None:
    """Print where ``key`` stands, in a sentence, and its fingerprint."""
    flow = f"{key.flow.scheme}/{key.flow.address}"
    sentence = f"{key.title} is {_standing(key, '%Y-%m-%d %H:%M UTC')}."
    console.print(Text(f"{flow}/{key.purpose}/{key.version}: {sentence}"), soft_wrap=True)
    console.print(Text(f"fingerprint {key.fingerprint}"), soft_wrap=True)


def table(keys: Iterable[Key], console: Console) -> None:
    """Print a line for each version."""
    lines = Table(*_COLUMNS, box=None, padding=(0, 2, 0, 0))
    for key in keys:
        lines.add_row(
            Text(f"{key.flow.scheme}/{key.flow.address}"),
            Text(key.purpose),
            str(key.version),
            _standing(key, "%Y-%m-%d"),
            key.short_fingerprint,
            f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never",
            str(key.use_count),
        )
    # Cutting fingerprints off helps nobody: a narrow screen wraps the lines.
    console.width = max(console.width, _WIDTH)
    console.print(lines, crop=False)


def _standing(key: Key, form: str) -> str:
    """Return the state and the times that belong to it, such as *active, expires 2027-01-31*."""
    said = str(key.state)
    if key.accept_until:
        said += f" until {key.accept_until.strftime(form)}"
    if key.expires_at and not key.ended_at:
        said += f", expires {key.expires_at.strftime(form)}"
    if key.destroy_at:
        said += f", destroyed on {key.destroy_at.strftime(form)}"
    return said
