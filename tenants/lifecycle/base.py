"""What every verb is made of: locks, the epoch, the audit entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.db.models import F, Model, QuerySet

from tenants import audit_chain
from tenants.models import Client, Flow, Key, KeyringEpoch

#: Every verb, as the audit trail writes it.
VERBS: Final = (
    "client.create",
    "client.update",
    "client.relax",
    "flow.create",
    "flow.update",
    "key.generate",
    "key.import",
    "key.promote",
    "key.retire",
    "key.revoke",
    "key.set_expiry",
    "key.schedule_destruction",
    "key.cancel_destruction",
    "key.destroy",
    "handover.create",
    "handover.withdraw",
    "handover.open",
    "delivery.retry",
    "delivery.retry_many",
    "delivery.cancel",
    "delivery.cancel_many",
    "replay.start",
    "replay.cancel",
    "endpoint.update",
    "endpoint.pause",
    "endpoint.resume",
    "endpoint.enable",
    "endpoint.disable",
    "endpoint.test",
    "master_key.rotate",
    "approval.request",
    "approval.approve",
    "approval.refuse",
    "approval.withdraw",
    "approval.expire",
    "approval.break_glass",
    "access.log_in",
    "access.confirm",
    "access.locked_out",
    "access.second_factor",
    "access.forget_second_factor",
    "person.create",
    "person.update",
    "person.password",
    "role.create",
    "role.update",
)


#: Write who did what to which row; the last lock but the epoch's.
audit = audit_chain.append


class LifecycleError(Exception):
    """A verb cannot be done now. Nothing was changed; the message says what would help.

    Where it is about a ``key``, the message ends with its fingerprint.
    """

    def __init__(self, text: str = "", *, key: Key | None = None) -> None:
        super().__init__(f"{text} Fingerprint: {key.short_fingerprint}." if key else text)


#: What the columns for a reason and a note take, in characters.
LONGEST_TEXT: Final = 200


def one_line(text: str) -> str:
    """Return what a person wrote as one line that every database takes, and none misreads.

    NUL, line breaks and marks that turn the direction of writing become spaces.
    """
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(shown.split())[:LONGEST_TEXT]


# NO KEY locks: requests that write rows about a flow meanwhile (FOR KEY SHARE) need not wait.


def lock_client(client_id: UUID) -> Client:
    """Return the client, locked until the transaction ends. Raises LifecycleError."""
    client = Client.objects.select_for_update(no_key=True).filter(pk=client_id).first()
    if client is None:
        raise LifecycleError("There is no such client.")
    return client


def lock_flow(flow_id: UUID) -> Flow:
    """Return the flow, locked until the transaction ends. Raises LifecycleError."""
    # The model's own order joins the client, whose row would be locked too.
    rows = Flow.objects.select_for_update(no_key=True).order_by("pk")
    flow = rows.filter(pk=flow_id).first()
    if flow is None:
        raise LifecycleError("There is no such flow.")
    return flow


def lock_keys(keys: QuerySet[Key]) -> None:
    """Lock these rows until the transaction ends, in the order in which requests lock them.

    For verbs that change several: a request that counts its use of the same versions meanwhile
    (tenants.use_batches) and such a verb would otherwise wait for each other.
    """
    list(keys.select_for_update(no_key=True, of=("self",)).order_by("pk").values_list("pk"))


def touch(*flow_ids: UUID) -> int:
    """Have every process drop its snapshots of these flows once the transaction commits.

    Returns the epoch of the change.

    The last step of a verb: the epoch's row stays locked until then, which is what makes
    changes visible in the order of their epochs.
    """
    if not KeyringEpoch.objects.filter(pk=1).update(value=F("value") + 1):
        KeyringEpoch.objects.get_or_create(pk=1)
        KeyringEpoch.objects.filter(pk=1).update(value=F("value") + 1)
    epoch: int = KeyringEpoch.objects.values_list("value", flat=True).get(pk=1)
    Flow.objects.filter(pk__in=flow_ids).update(changed_epoch=epoch)
    return epoch


def apply(
    row: Model, changes: Mapping[str, Any], allowed: frozenset[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Set ``changes`` on ``row`` and return what differs, before and after.

    Raises LifecycleError for a field that cannot be changed.
    """
    fixed = set(changes) - allowed
    if fixed:
        names, others = ", ".join(sorted(fixed)), ", ".join(sorted(allowed))
        raise LifecycleError(f"{names} cannot be changed; these can: {others}.")
    before, after = {}, {}
    for name, value in changes.items():
        old = getattr(row, name)
        if old != value:
            before[name], after[name] = old, value
            setattr(row, name, value)
    return before, after
