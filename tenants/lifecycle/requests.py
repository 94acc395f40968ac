"""The row of a request for a second person: written, opened, locked, ended."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from tenants import at_rest
from tenants.actors import Actor
from tenants.at_rest import AtRestError
from tenants.clearance import Intent
from tenants.lifecycle.base import LifecycleError, audit, one_line
from tenants.models import ApprovalRequest, ApprovalState

#: How long a request waits for somebody.
LIFETIME: Final = timedelta(hours=24)


def put(actor: Actor, intent: Intent, reason: str, material: bytes) -> ApprovalRequest:
    """Write a new request, inside a transaction that locked the intent's rows."""
    row = ApprovalRequest(
        verb=intent.verb,
        client_id=intent.client_id,
        flow_id=intent.flow_id,
        key_id=intent.key_id,
        details=dict(intent.arguments),
        reason=one_line(reason),
        requested_by=actor.name[:150],
        requested_by_account=actor.account,
        expires_at=timezone.now() + LIFETIME,
    )
    whole = {**_columns(row), "material": base64.b64encode(material).decode("ascii")}
    row.arguments = at_rest.seal(json.dumps(whole).encode("utf-8"), row.at_rest_context)
    row.save(force_insert=True)
    _audit(actor, "approval.request", row, reason)
    return row


def waiting() -> QuerySet[ApprovalRequest]:
    """Return the requests that somebody can still decide on, the oldest first, not opened."""
    rows = ApprovalRequest.objects.filter(
        state=ApprovalState.PENDING, expires_at__gt=timezone.now()
    )
    return rows.defer("arguments").order_by("expires_at")


def intent_of(row: ApprovalRequest) -> Intent:
    """Return what is asked for, as the row's columns say."""
    return Intent(row.verb, row.client_id, row.flow_id, row.key_id, row.details)


def material_of(row: ApprovalRequest) -> bytes:
    """Return the secret that a pending request carries; empty for most.

    Raises LifecycleError when the row's columns are not what was sealed with it.
    """
    try:
        text = at_rest.open_sealed(row.arguments, row.at_rest_context)
    except AtRestError as error:
        raise LifecycleError(
            f"What this request carries cannot be read ({error.code}). Refuse it, and have it "
            "asked for again."
        ) from None
    whole: dict[str, Any] = json.loads(text)
    material = base64.b64decode(whole.pop("material"))
    if whole != _columns(row):
        raise LifecycleError(
            "This request was changed in the database after it was made. Refuse it, and find out "
            "who did that."
        )
    return material


def lock(pk: UUID) -> ApprovalRequest:
    """Return the request, locked until the transaction ends. Raises LifecycleError."""
    # No join: the rows of client and flow would be locked too, out of order.
    row = ApprovalRequest.objects.select_for_update(no_key=True).filter(pk=pk).first()
    if row is None:
        raise LifecycleError("There is no such request.")
    return row


def end(
    row: ApprovalRequest, state: ApprovalState, actor: Actor, verb: str, note: str = ""
) -> None:
    """End a locked request and erase what it carried."""
    row.state, row.arguments = state, b""
    row.decided_at, row.decision_note = timezone.now(), one_line(note)
    row.decided_by, row.decided_by_account = actor.name[:150], actor.account
    row.save()
    _audit(actor, verb, row, row.decision_note)


def lapse(row: ApprovalRequest, now: datetime | None = None) -> bool:
    """End a locked request that waited too long; return whether it did."""
    is_due = row.state == ApprovalState.PENDING and row.expires_at <= (now or timezone.now())
    if is_due:
        end(row, ApprovalState.EXPIRED, Actor.product(), "approval.expire")
    return is_due


def how_it_ended(row: ApprovalRequest) -> str:
    """Return a sentence about a request that is decided."""
    said = {
        ApprovalState.APPROVED: f"was approved by {row.decided_by}, and is done",
        ApprovalState.REFUSED: f"was refused by {row.decided_by}",
        ApprovalState.WITHDRAWN: f"was withdrawn by {row.decided_by}",
        ApprovalState.EXPIRED: "expired: nobody decided within 24 hours. Have it asked for again",
    }
    return f"This request {said[ApprovalState(row.state)]}."


def _columns(row: ApprovalRequest) -> dict[str, Any]:
    """Return what must not change while a request waits, as JSON holds it."""
    return {
        "verb": row.verb,
        "client": str(row.client_id),
        "flow": str(row.flow_id),
        "key": str(row.key_id),
        "details": row.details,
        "asked_by": row.requested_by_account,
        "expires_at": row.expires_at.astimezone(UTC).isoformat(timespec="microseconds"),
    }


def _audit(actor: Actor, verb: str, row: ApprovalRequest, reason: str) -> None:
    said = {"approval": str(row.pk), "verb": row.verb, "asked_by": row.requested_by}
    shown = {name: value for name, value in row.details.items() if name != "reason"}
    audit(
        actor,
        verb,
        client=row.client,
        flow=row.flow,
        key=row.key,
        after={**said, **shown},
        reason=reason,
    )
