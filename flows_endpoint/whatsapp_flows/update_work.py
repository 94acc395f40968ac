"""What stored updates mean, done later by a worker: rows are the truth, Celery only rings.

A worker locks some of the rows that wait, does what each means and marks it, in one transaction:
one that dies leaves them as they were, and they are done by the next. So each is done once in
effect. One that fails is tried again, later and later, and holds up no other.

A large delivery, kept whole when it came, is split first.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Container, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from callbacks import outbox
from flows_endpoint.whatsapp_flows import alerts, message_states, replies, updates
from flows_endpoint.whatsapp_flows.models import AlertSource, UpdateKind, WebhookUpdate
from tenants import at_rest
from tenants.at_rest import AtRestError
from tenants.keyring import FlowSnapshot, keyring

logger = logging.getLogger(__name__)

#: Updates of one transaction. SQLite has one writer, and webhooks wait for it.
BATCH: Final = 50
#: After so many failures an update waits for a person; it stays in the table.
MOST_FAILURES: Final = 8
#: A failed update is tried again after so many seconds, then twice as many, and so on.
_FIRST_WAIT: Final = 10


def process_due(seconds: float) -> int:
    """Process the updates that wait, the oldest first, for at most ``seconds``.

    Returns how many were processed; some may still wait when the time is over.
    """
    until = time.monotonic() + seconds
    done = 0
    while time.monotonic() < until:
        split = _split_one()
        seen, processed = _process_some()
        done += processed
        if not seen and not split:
            break
    return done


def _due() -> QuerySet[WebhookUpdate]:
    rows = WebhookUpdate.objects.filter(
        processed_at__isnull=True, next_attempt_at__lte=timezone.now(), failures__lt=MOST_FAILURES
    )
    return rows.order_by("next_attempt_at")


def _split_one() -> int:
    """Split a delivery that was kept whole; return how many there were to split.

    Opening and sealing a thousand updates takes a while, so it comes before the transaction:
    two workers may both do it, and the second finds the row gone.
    """
    batch = _due().filter(kind=UpdateKind.BATCH).first()
    if batch is None:
        return 0
    try:
        rows = updates.unpacked(batch)
    except Exception as error:  # noqa: BLE001 - one bad delivery must not stop the others
        _note_failure(batch, error)
        return 1
    with transaction.atomic():
        if WebhookUpdate.objects.filter(pk=batch.pk).delete()[0]:
            updates.insert(rows)
    return 1


def _process_some() -> tuple[int, int]:
    """Process up to :data:`BATCH` updates; return how many there were and were processed."""
    with transaction.atomic():
        rows = list(
            _due()
            .exclude(kind=UpdateKind.BATCH)
            .select_for_update(of=("self",), skip_locked=True)
            .select_related("flow")[:BATCH]
        )
        works = [_Work(row) for row in rows]
        ours = message_states.ours(status for work in works for status in work.statuses())
        done = [work.row.pk for work in works if work.is_idle(ours) or _process(work)]
        WebhookUpdate.objects.filter(pk__in=done).update(processed_at=timezone.now())
    return len(rows), len(done)


class _Work:
    """One update, opened. ``error`` is what went wrong with that."""

    def __init__(self, row: WebhookUpdate) -> None:
        self.row = row
        self.body: Any = None
        self.error: Exception | None = None
        try:
            text = at_rest.open_sealed(row.body, row.at_rest_context)
            if row.kind != UpdateKind.UNREADABLE:
                self.body = json.loads(text)
        except (AtRestError, ValueError) as error:
            self.error = error

    @property
    def value(self) -> dict[str, Any]:
        """Return what the update says; empty for one of another form."""
        change = self.body.get("change") if isinstance(self.body, dict) else None
        value = change.get("value") if isinstance(change, dict) else None
        return value if isinstance(value, dict) else {}

    def statuses(self) -> Iterator[dict[str, Any]]:
        """Yield the statuses of messages in it."""
        if self.row.kind == UpdateKind.MESSAGES:
            yield from _objects(self.value, "statuses")

    def replies(self) -> Iterator[dict[str, Any]]:
        """Yield the completed forms in it."""
        if self.row.kind == UpdateKind.MESSAGES:
            for message in _objects(self.value, "messages"):
                if replies.form_reply_of(message) is not None:
                    yield message

    def is_idle(self, ours: Container[str] | None) -> bool:
        """Return whether nothing follows from it: it is about others' messages, for instance."""
        return (
            self.error is None
            and self.row.kind != UpdateKind.FLOWS
            and ours is not None
            and not any(message_states.is_ours(status, ours) for status in self.statuses())
            and not any(True for _ in self.replies())
            and _forwarding(self.row) is None
        )


def _process(work: _Work) -> bool:
    row = work.row
    try:
        with transaction.atomic():
            if work.error is not None:
                raise work.error
            _apply(work)
    except Exception as error:  # noqa: BLE001 - one bad update must not stop the others
        _note_failure(row, error)
        return False
    return True


def _note_failure(row: WebhookUpdate, error: Exception) -> None:
    # Type only: the text may quote what was said.
    logger.error("Update %s failed: %s", row.pk, type(error).__name__)
    row.failures += 1
    wait = timedelta(seconds=_FIRST_WAIT * 2**row.failures)
    row.next_attempt_at = timezone.now() + wait
    row.save(update_fields=["failures", "next_attempt_at"])
    if row.failures >= MOST_FAILURES:
        alerts.raise_alert(
            str(row.flow_id),
            AlertSource.SEALGATE,
            alerts.UPDATE_NOT_PROCESSED,
            at=timezone.now(),
            subject=str(row.pk),
            message="An update of the webhook could not be processed; the log says why.",
        )


def _apply(work: _Work) -> None:
    row = work.row
    for status in work.statuses():
        message_states.apply_status(row.flow, status, row.received_at)
    contact = next(_objects(work.value, "contacts"), {})
    for message in work.replies():
        replies.complete(row.flow, message, contact, row.received_at)
    if row.kind == UpdateKind.FLOWS:
        alerts.read_alert(row.flow, work.value, _entry_time(work.body, row.received_at))
    _forward(work)


def _forwarding(row: WebhookUpdate) -> FlowSnapshot | None:
    """Return the flow whose callback URL gets the update too, or None."""
    flow = keyring.by_flow_id(str(row.flow_id))
    return None if flow is None or flow.options.forward_updates != "all" else flow


def _forward(work: _Work) -> None:
    """Post the update to the callback URL too, where the flow wants all of them."""
    row, flow = work.row, _forwarding(work.row)
    if flow is None or work.body is None:
        return
    event = {
        "event": "whatsapp.update",
        "received_at": row.received_at.astimezone(UTC)
        .isoformat(timespec="seconds")
        .replace("+00:00", "Z"),
        "update": work.body,
    }
    outbox.enqueue(flow.id, "whatsapp.update", event, subject=str(row.pk))


def _objects(value: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    members = value.get(name)
    if isinstance(members, list):
        yield from (member for member in members if isinstance(member, dict))


def _entry_time(body: Any, received_at: datetime) -> datetime:
    """Return when the platform noticed it (Unix seconds of the entry), else when it came."""
    entry = body.get("entry")
    moment = entry.get("time") if isinstance(entry, dict) else None
    if isinstance(moment, int) and not isinstance(moment, bool) and 0 < moment < 10**11:
        return datetime.fromtimestamp(moment, UTC)
    return received_at
