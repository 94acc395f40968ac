"""Erasing the material of a version: announced, waited for, and only then done.

What is erased opens no recorded request and no backup ever again, so nobody erases at once: an
ended version is scheduled, 7 to 30 days ahead, anybody with the right can cancel meanwhile, and
the worker destroys what is due. All of them take the lock of the flow first, so a cancellation
either comes before the destruction or is refused.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from tenants.actors import Actor
from tenants.clearance import Intent
from tenants.lifecycle import second_person
from tenants.lifecycle.base import LifecycleError, audit, lock_flow, lock_keys, one_line
from tenants.lifecycle.transitions import end, facts, guard
from tenants.models import AuditEntry, Key, KeyState

SHORTEST_WAIT: Final = timedelta(days=7)
LONGEST_WAIT: Final = timedelta(days=30)
#: How long is waited where nobody says otherwise.
DEFAULT_WAIT: Final = LONGEST_WAIT
_SCHEDULE: Final = "key.schedule_destruction"


@transaction.atomic
def schedule_destruction(
    actor: Actor, key: Key, *, days: int = DEFAULT_WAIT.days, reason: str
) -> Key:
    """Have the material of a retired or revoked version erased in ``days`` days (7 to 30).

    One that waits already gets the new day; for the day it has, nothing changes. Raises
    LifecycleError, also without a reason, or SecondPersonNeededError.
    """
    actor.require("tenants.delete_key")
    if not SHORTEST_WAIT.days <= days <= LONGEST_WAIT.days:
        raise LifecycleError(
            f"Destruction waits {SHORTEST_WAIT.days} to {LONGEST_WAIT.days} days, "
            "so that it can be cancelled."
        )
    reason = one_line(reason)
    if not reason:
        raise LifecycleError("Destroying needs a reason; it stands in the audit trail.")
    locked = lock_flow(key.flow_id)
    key = locked.keys.get(pk=key.pk)
    guard(key, "schedule_destruction")
    destroy_at = timezone.now() + timedelta(days=days)
    if key.destroy_at is not None and key.destroy_at.date() == destroy_at.date():
        return key
    said = {"days": days, "reason": reason}
    second_person.require(actor, Intent(_SCHEDULE, locked.client_id, locked.pk, key.pk, said))
    before = facts(key)
    key.destroy_at = destroy_at
    key.save(update_fields=["destroy_at"])
    audit(actor, _SCHEDULE, key=key, before=before, after=facts(key), reason=reason)
    return key


@transaction.atomic
def cancel_destruction(actor: Actor, key: Key, *, reason: str = "") -> Key:
    """Keep the material of a version that waits for its destruction.

    Cancelling what does not wait changes nothing. Raises LifecycleError, also where the
    material is gone already.
    """
    actor.require("tenants.delete_key")
    locked = lock_flow(key.flow_id)
    key = locked.keys.get(pk=key.pk)
    guard(key, "cancel_destruction")
    if key.destroy_at is None:
        return key
    before = facts(key)
    key.destroy_at = None
    key.save(update_fields=["destroy_at"])
    audit(
        actor,
        "key.cancel_destruction",
        key=key,
        before=before,
        after=facts(key),
        reason=one_line(reason),
    )
    return key


def destroy_due_keys(now: datetime | None = None) -> int:
    """Erase the material of every version whose waiting time is over; returns how many.

    Row and fingerprint stay. The entry in the audit trail says who had scheduled it, and why.
    """
    moment = now or timezone.now()
    due = Key.objects.filter(destroy_at__lte=moment)
    flow_ids: set[UUID] = set(due.order_by().values_list("flow_id", flat=True))
    count = 0
    for flow_id in sorted(flow_ids):
        with transaction.atomic():
            locked = lock_flow(flow_id)
            lock_keys(due.filter(flow=locked))
            # Asked again under the lock: who cancelled in between was first.
            for key in due.filter(flow=locked).order_by("pk"):
                key.flow = locked
                _destroy(key)
                count += 1
    return count


def _destroy(key: Key) -> None:
    scheduled = AuditEntry.objects.filter(key=key, verb=_SCHEDULE).order_by("-pk").first()
    reason = f"Scheduled by {scheduled.actor}: {scheduled.reason}" if scheduled else ""
    end(Actor.product(), key, KeyState.DESTROYED, verb="key.destroy", reason=reason)
