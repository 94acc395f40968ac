"""By when a version should be replaced, and the warnings before that day.

An expiry stops no traffic: a gateway that goes quiet at midnight because of a date field is an
outage. The warnings do the work: 30, 7 and 1 days before, and when it is over, each told once.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Q
from django.urls import reverse
from django.utils import timezone

from tenants import notices
from tenants.actors import Actor
from tenants.lifecycle.base import LifecycleError, audit, lock_flow
from tenants.lifecycle.transitions import facts, guard
from tenants.models import Key, KeyState

logger = logging.getLogger("sealgate.keys")

#: Days before the expiry at which a warning is due; 0 is when it is over.
THRESHOLDS: Final = (30, 7, 1, 0)
LONGEST_LIFE: Final = timedelta(days=3653)
#: Versions that are warned of: one that is retiring has been replaced.
_WARNED: Final = (KeyState.STAGED, KeyState.ACTIVE)


def read_expiry(text: str) -> datetime | None:
    """Return the expiry a person wrote, such as ``2031-01-31``; None for an empty text.

    A date means its first second; what has no zone is UTC. Raises LifecycleError.
    """
    if not text.strip():
        return None
    try:
        found = datetime.fromisoformat(text.strip())
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise LifecycleError(
            "That is no date. Write an expiry as 2031-01-31, or 2031-01-31T18:00+07:00."
        ) from None


def check_expiry(expires_at: datetime | None) -> None:
    """Raise LifecycleError for an expiry that no new version can have."""
    now = timezone.now()
    if expires_at is not None and not now < expires_at <= now + LONGEST_LIFE:
        raise LifecycleError("An expiry lies in the future, ten years ahead at most.")


@transaction.atomic
def set_key_expiry(actor: Actor, key: Key, *, expires_at: datetime | None) -> Key:
    """Say by when a version should be replaced; None for no such day. Warnings begin anew.

    Setting what is set already changes nothing. Raises LifecycleError.
    """
    actor.require("tenants.change_key")
    locked = lock_flow(key.flow_id)
    key = locked.keys.get(pk=key.pk)
    guard(key, "set_expiry")
    if key.expires_at == expires_at:
        return key
    check_expiry(expires_at)
    before = facts(key)
    key.expires_at, key.expiry_warned_days = expires_at, None
    key.save(update_fields=["expires_at", "expiry_warned_days"])
    audit(actor, "key.set_expiry", key=key, before=before, after=facts(key))
    return key


def threshold_at(expires_at: datetime, now: datetime) -> int | None:
    """Return the closest threshold, in days, that is reached at ``now``; None before the first."""
    reached = [days for days in THRESHOLDS if expires_at - now <= timedelta(days=days)]
    return min(reached, default=None)


def days_left(key: Key, now: datetime) -> int | None:
    """Return the days until the expiry of a version that is warned of, 0 after it; else None."""
    if key.expires_at is None or key.state not in _WARNED:
        return None
    if threshold_at(key.expires_at, now) is None:
        return None
    return max(0, math.ceil((key.expires_at - now) / timedelta(days=1)))


def near_expiry(now: datetime, days: int = THRESHOLDS[0]) -> Q:
    """Return the condition for versions in force whose expiry is ``days`` away or less."""
    return Q(state__in=_WARNED, expires_at__lte=now + timedelta(days=days))


def count_near_expiry(
    now: datetime | None = None, thresholds: Sequence[int] = THRESHOLDS
) -> Mapping[int, int]:
    """Return how many versions in force stand at each threshold: days and number.

    Each counts once, at the closest threshold it has reached; 0 are those past their expiry.
    """
    moment = now or timezone.now()
    # The first condition alone has an index; the counts go over what it finds.
    near = Key.objects.filter(near_expiry(moment, max(thresholds)))
    within = near.aggregate(
        **{str(days): Count("pk", filter=near_expiry(moment, days)) for days in thresholds}
    )
    counts: dict[int, int] = {}
    closer = 0
    for days in sorted(thresholds):
        counts[days] = within[str(days)] - closer
        closer = within[str(days)]
    return counts


def warn_of_expiry(now: datetime | None = None) -> int:
    """Tell the log and the operators of every version that reached a threshold.

    Each is told once, also where several workers are at it: who moves the mark tells. The
    notice for the operators is written with the mark. Returns how many were told.
    """
    moment = now or timezone.now()
    due = Key.objects.filter(near_expiry(moment)).exclude(expiry_warned_days=0)
    return sum(
        _warn(key, moment)
        for key in due.select_related("flow__client").defer("material").order_by("expires_at")
    )


def _warn(key: Key, now: datetime) -> bool:
    assert key.expires_at is not None  # noqa: S101 - the query asks for it
    threshold = threshold_at(key.expires_at, now)
    told = key.expiry_warned_days
    if threshold is None or (told is not None and told <= threshold):
        return False
    flow = key.flow
    title = f"{key.title} of {flow.scheme}/{flow.address} {_when(key.expires_at, now)}"
    with transaction.atomic():
        as_read = Key.objects.filter(
            pk=key.pk, state__in=_WARNED, expires_at=key.expires_at, expiry_warned_days=told
        )
        if not as_read.update(expiry_warned_days=threshold):
            return False  # told by another, or changed since
        page = reverse("admin:tenants_flow_change", args=[flow.pk])
        notices.tell_operators(
            title,
            f"Client: {flow.client.slug}\n"
            f"Fingerprint: {key.fingerprint[:16]}\n"
            f"Expiry: {key.expires_at:%Y-%m-%d %H:%M} UTC. It goes on opening after that.\n"
            f"What to do: generate its successor, hand it over, promote it: "
            f"{settings.PUBLIC_URL}{page}#keys",
        )
    logger.warning(
        title,
        extra={
            "client": flow.client.slug,
            "flow": str(flow.pk),
            "scheme": flow.scheme,
            "address": flow.address,
            "purpose": key.purpose,
            "version": key.version,
            "fingerprint": key.fingerprint[:16],
            "expires_at": key.expires_at.isoformat(),
            "threshold_days": threshold,
        },
    )
    return True


def _when(expires_at: datetime, now: datetime) -> str:
    days = math.ceil((expires_at - now) / timedelta(days=1))
    if days <= 0:
        return f"is past its expiry of {expires_at:%Y-%m-%d}"
    return f"expires in {days} day{'' if days == 1 else 's'}, on {expires_at:%Y-%m-%d}"
