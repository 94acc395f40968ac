"""Webhook updates as they come: split, told apart from repetitions, sealed, stored.

Nothing is thrown away that was signed: what is not of the known form is kept whole. A large
delivery is kept whole first, so that the platform gets its answer at once, and split by the worker.
What the updates mean is done later (update_work.py).
"""

from __future__ import annotations

import hashlib
import uuid
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from django.db import transaction

from crypto_schemes import json_text
from crypto_schemes.json_text import JSONTextError, JSONValue
from flows_endpoint.whatsapp_flows.models import UpdateKind, WebhookUpdate
from tenants import at_rest, digests

#: Most updates in one delivery. More is not the platform's and is kept as one.
MOST_UPDATES: Final = 1000
#: Bytes of a delivery that is split before it is answered; a hundred statuses or so.
SPLIT_AT_ONCE: Final = 48 * 1024
#: Longest id of an entry, in characters. Known ones are numbers of some 15 digits.
LONGEST_NAME: Final = 128
#: Kinds that are named after the field of the update.
_FIELDS: Final = frozenset(UpdateKind.values) - {
    UpdateKind.OTHER,
    UpdateKind.UNREADABLE,
    UpdateKind.BATCH,
}


def store(flow_id: str, raw: bytes, received_at: float) -> None:
    """Store the updates in the signed body ``raw``, those not yet there, and ring the worker.

    One query, inside a transaction.
    """
    is_large = len(raw) > SPLIT_AT_ONCE
    found = [(UpdateKind.BATCH, raw)] if is_large else _split(raw)
    insert(_rows(flow_id, found, datetime.fromtimestamp(received_at, UTC)))
    transaction.on_commit(_ring)


def unpacked(batch: WebhookUpdate) -> list[WebhookUpdate]:
    """Return the rows of the updates in a delivery that was kept whole, yet to be inserted.

    Raises AtRestError.
    """
    raw = zlib.decompress(at_rest.open_sealed(batch.body, batch.at_rest_context))
    return _rows(str(batch.flow_id), _split(raw), batch.received_at)


def insert(rows: list[WebhookUpdate]) -> None:
    """Insert those that are not yet there."""
    # In one order, so that two deliveries with the same updates cannot wait for each other.
    rows.sort(key=lambda row: row.digest)
    WebhookUpdate.objects.bulk_create(rows, ignore_conflicts=True)


def _rows(flow_id: str, found: list[tuple[UpdateKind, bytes]], at: datetime) -> list[WebhookUpdate]:
    rows = []
    for kind, text in found:
        content = hashlib.sha256(text).hexdigest()
        named = "delivery" if kind is UpdateKind.BATCH else "update"
        row = WebhookUpdate(
            id=uuid.uuid4(),
            flow_id=flow_id,
            digest=digests.lookup_digest("whatsapp_flows", named, f"{flow_id}|{content}"),
            kind=kind,
            received_at=at,
            next_attempt_at=at,
        )
        # Packed, a large one is written in a fraction of the time.
        kept = zlib.compress(text, 1) if kind is UpdateKind.BATCH else text
        row.body = at_rest.seal(kept, row.at_rest_context)
        rows.append(row)
    return rows


def _ring() -> None:
    from flows_endpoint.whatsapp_flows.tasks import ring  # noqa: PLC0415 - which process them

    ring()


def _split(raw: bytes) -> list[tuple[UpdateKind, bytes]]:
    """Return kind and JSON text of each change, or the whole body as one."""
    try:
        value = json_text.parse(raw)
    except JSONTextError:
        return [(UpdateKind.UNREADABLE, raw)]
    changes = list(_changes(value))
    if not changes or len(changes) > MOST_UPDATES or None in changes:
        return [(UpdateKind.OTHER, raw)]
    return [(_kind(change), json_text.compact(change)) for change in changes]


def _changes(value: JSONValue) -> Iterator[JSONValue]:
    """Yield each change with what identifies its entry; None for anything of another form."""
    entries = value.get("entry") if isinstance(value, dict) else None
    if not isinstance(entries, list):
        yield None
        return
    for entry in entries:
        changes = entry.get("changes") if isinstance(entry, dict) else None
        if not isinstance(changes, list):
            yield None
            return
        around = {name: entry[name] for name in ("id", "time") if name in entry}
        # Written beside each of its changes: a long one would make a thousand times its size.
        if not all(_is_short(value) for value in around.values()):
            yield None
            return
        for change in changes:
            yield {"entry": around, "change": change} if _is_change(change) else None


def _is_short(value: Any) -> bool:
    return (isinstance(value, str) and len(value) <= LONGEST_NAME) or (
        isinstance(value, int) and value.bit_length() <= 64
    )


def _is_change(change: Any) -> bool:
    return isinstance(change, dict) and isinstance(change.get("field"), str) and "value" in change


def _kind(change: dict[str, Any]) -> UpdateKind:
    field = change["change"]["field"]
    return UpdateKind(field) if field in _FIELDS else UpdateKind.OTHER
