"""What the page of a flow shows of its keys, and which buttons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from urllib.parse import quote
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.urls import reverse
from django.utils import timezone

from crypto_schemes.keys import PurposeSpec
from tenants import key_use, lifecycle
from tenants.admin.timeline import Life, Timeline, draw
from tenants.key_use import Use
from tenants.models import AuditEntry, Flow, Key, KeyState
from tenants.rollout import Process, Rollout, live_processes, rollout_of

#: Verbs the pages offer, and the permission each takes.
OFFERED: Final[Mapping[str, str]] = {
    "promote": "tenants.change_key",
    "retire": "tenants.change_key",
    "revoke": "tenants.change_key",
    "set_expiry": "tenants.change_key",
    "schedule_destruction": "tenants.delete_key",
    "cancel_destruction": "tenants.delete_key",
}
#: What is typed to promote a version that not every process has loaded.
OVERRIDE_PHRASE: Final = "promote anyway"
#: The part of a flow's page with all of its secrets.
KEYS: Final = "#keys"
_History = Mapping[UUID, Sequence[tuple[datetime, str]]]


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version, with the verbs that are possible now and allowed to this user.

    ``phrase`` is what is typed to end it while it is in use, else empty; ``days_left`` is set
    within the warning time of its expiry, and is 0 after it. ``rollout`` says of a staged version
    which processes have loaded it; None where none runs.
    """

    key: Key
    opens: bool
    fingerprint: str
    use: Use
    phrase: str
    days_left: int | None
    verbs: tuple[str, ...]
    rollout: Rollout | None = None


@dataclass(frozen=True, slots=True)
class PurposeRow:
    """One purpose, its versions from the newest on, and the number of the next."""

    spec: PurposeSpec
    versions: tuple[VersionRow, ...]
    next_version: int
    timeline: Timeline | None


def place_of(flow_id: UUID, purpose: str) -> str:
    """Return the address of a secret on the page of its flow."""
    return f"{reverse('admin:tenants_flow_change', args=[flow_id])}#secret-{quote(purpose)}"


def purpose_rows(
    flow: Flow, user: AbstractBaseUser | AnonymousUser, now: datetime | None = None
) -> list[PurposeRow]:
    """Return a row for each purpose of the contract, in the contract's order."""
    moment = now or timezone.now()
    keys = list(flow.keys.defer("material").order_by("-version"))
    by_day, history = key_use.days_of_flow(flow), _history(keys)
    is_staged = any(key.state == KeyState.STAGED for key in keys)
    processes = live_processes() if is_staged else ()
    by_purpose: dict[str, list[Key]] = {}
    for key in keys:
        by_purpose.setdefault(key.purpose, []).append(key)
    rows = []
    for spec in flow.contract.all_purposes():
        mine = by_purpose.get(spec.name, [])
        rows.append(
            PurposeRow(
                spec=spec,
                versions=tuple(_version_row(key, by_day, user, moment, processes) for key in mine),
                next_version=(mine[0].version if mine else 0) + 1,
                timeline=draw([_life(key, history, by_day) for key in mine], moment),
            )
        )
    return rows


def _version_row(
    key: Key,
    by_day: Mapping[UUID, Mapping[date, int]],
    user: AbstractBaseUser | AnonymousUser,
    now: datetime,
    processes: Sequence[Process],
) -> VersionRow:
    possible = lifecycle.allowed_verbs(key)
    return VersionRow(
        key=key,
        opens=key.opens(now),
        fingerprint=key.short_fingerprint,
        use=key_use.use_from(key, by_day, now=now),
        phrase=lifecycle.use_phrase(key) if lifecycle.needs_confirmation(key) else "",
        days_left=lifecycle.days_left(key, now),
        verbs=tuple(
            verb
            for verb, permission in OFFERED.items()
            if verb in possible and user.has_perm(permission)  # type: ignore[union-attr]
        ),
        rollout=rollout_of(key, processes) if processes and key.state == KeyState.STAGED else None,
    )


def _life(key: Key, history: _History, by_day: Mapping[UUID, Mapping[date, int]]) -> Life:
    return Life(
        version=key.version,
        state=str(key.state),
        history=tuple(history.get(key.pk, [(key.created_at, str(key.state))])),
        accept_until=key.accept_until,
        expires_at=key.expires_at,
        destroy_at=key.destroy_at,
        last_used_at=key.last_used_at,
        uses=by_day.get(key.pk),
    )


def _history(keys: Iterable[Key]) -> _History:
    """Return when each version came into which state: the audit trail has it all.

    The columns of a version say only when it was activated and when it ended last.
    """
    found: dict[UUID, list[tuple[datetime, str]]] = {}
    # By key, not by flow: what else happened to the flow is not read.
    entries = AuditEntry.objects.filter(key__in=[key.pk for key in keys]).order_by()
    entries = entries.filter(verb__startswith="key.")
    rows = entries.values_list("pk", "key_id", "at", "after")
    # Put in order here: asked for it, PostgreSQL may walk the whole trail by its numbers.
    for _, key_id, at, after in sorted(rows, key=lambda row: row[0]):
        states = found.setdefault(key_id, [])
        state = after.get("state")
        if state and (not states or states[-1][1] != state):
            states.append((at, state))
    return {key_id: states for key_id, states in found.items() if states}
