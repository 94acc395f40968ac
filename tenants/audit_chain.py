"""The audit trail as a chain: each entry carries a keyed digest over itself and the one before.

Entries are numbered from 1 without gaps, and one row, the *head*, says how many there are and what
the last digest is. An entry is appended in the transaction of the change it tells of, under the
lock of the head, so entries stand in the order in which they were made and none is written twice.

The digest is an HMAC under a secret that is sealed with the master key: whoever can write to the
database, but does not hold the master key, can neither change an entry nor add one. Taking away
the newest entries together with an older head is seen by comparing with a checkpoint taken before
(:mod:`tenants.audit_checkpoint`). Source of the idea: Schneier and Kelsey, Secure Audit Logs to
Support Computer Forensics (1999).
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from datetime import UTC
from typing import Any, Final

from django.db import connection, transaction
from django.utils import timezone

from crypto_schemes.ciphers import mac
from tenants import digests
from tenants.actors import Actor
from tenants.models import AuditEntry, AuditHead, Client, Flow, Key

#: What the first entry has before it.
START: Final = ""
#: Name of the product's secret that the digests are made with.
SECRET: Final = "audit"
_FORMAT: Final = "sealgate-audit-1"


def append(
    actor: Actor,
    verb: str,
    *,
    client: Client | None = None,
    flow: Flow | None = None,
    key: Key | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
) -> AuditEntry:
    """Write who did what to which row, in the transaction that does it.

    The head stays locked until the transaction ends: locks on clients, flows and keys are taken
    before. What the actor does under a clearance names who gave it. Raises
    TransactionManagementError outside a transaction, AtRestError when the trail's secret
    cannot be read.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError(
            "An audit entry is written in the transaction of what it tells of."
        )
    flow = flow or (key.flow if key else None)
    cleared = actor.clearance.named if actor.clearance else {}
    secret = digests.internal_secret(SECRET)
    head = _lock_head()
    entry = AuditEntry(
        id=head.length + 1,
        at=timezone.now(),
        actor=actor.name[:150],
        actor_address=actor.address,
        verb=verb,
        client_id=client.pk if client else (flow.client_id if flow else None),
        flow=flow,
        key=key,
        before=_plain(before or {}),
        after=_plain({**(after or {}), **cleared}),
        reason=reason[:200],
        request_id=actor.request_id[:64],
        previous_digest=head.digest,
    )
    entry.digest = digest_of(entry, secret)
    entry.save(force_insert=True)
    AuditHead.objects.filter(pk=1).update(length=entry.pk, digest=entry.digest)
    return entry


def digest_of(entry: AuditEntry, secret: bytes, *, number: int | None = None) -> str:
    """Return the 64 hex digits that belong to ``entry``, as number ``number`` if given.

    Depends on what the entry says alone, not on how a database writes it down.
    """
    content = {
        "format": _FORMAT,
        "number": entry.pk if number is None else number,
        "previous": entry.previous_digest,
        "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": entry.actor,
        "actor_address": _address(entry.actor_address),
        "verb": entry.verb,
        "client": _id(entry.client_id),
        "flow": _id(entry.flow_id),
        "key": _id(entry.key_id),
        "before": _whole(entry.before),
        "after": _whole(entry.after),
        "reason": entry.reason,
        "request_id": entry.request_id,
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return mac.sha256(secret, text.encode("ascii")).hex()


def _lock_head() -> AuditHead:
    heads = AuditHead.objects.select_for_update()
    head = heads.filter(pk=1).first()
    if head is None:
        AuditHead.objects.get_or_create(pk=1)
        head = heads.get(pk=1)
    return head


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``value`` as it will be read back."""
    plain: dict[str, Any] = json.loads(json.dumps(value))
    return plain


def _whole(value: Any) -> Any:
    """Return JSON with 1.0 as 1: a database may write either for the other."""
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _address(value: str | None) -> str | None:
    return ipaddress.ip_address(value).packed.hex() if value else None


def _id(value: Any) -> str | None:
    return None if value is None else str(value)
