"""What the page of a flow shows of its keys, and which buttons."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.utils import timezone

from crypto_schemes.keys import PurposeSpec
from tenants import lifecycle
from tenants.models import Flow, Key, KeyState
from tenants.rollout import Rollout, rollout_of

#: Verbs the pages offer. Erasing material for good is not among them.
OFFERED: Final = ("promote", "retire", "revoke")
#: What is typed to promote a version that not every process has loaded.
OVERRIDE_PHRASE: Final = "promote anyway"


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version, with the verbs that are possible now and allowed to this user.

    ``rollout`` says of a staged version which processes have loaded it; None where none runs.
    """

    key: Key
    opens: bool
    fingerprint: str
    verbs: tuple[str, ...]
    rollout: Rollout | None = None


@dataclass(frozen=True, slots=True)
class PurposeRow:
    """One purpose, its versions from the newest on, and the number of the next."""

    spec: PurposeSpec
    versions: tuple[VersionRow, ...]
    next_version: int


def purpose_rows(
    flow: Flow, user: AbstractBaseUser | AnonymousUser, now: datetime | None = None
) -> list[PurposeRow]:
    """Return a row for each purpose of the contract, in the contract's order."""
    moment = now or timezone.now()
    may_change = user.has_perm("tenants.change_key")  # type: ignore[union-attr]
    by_purpose: dict[str, list[VersionRow]] = {}
    keys = list(flow.keys.order_by("-version"))
    is_staged = any(key.state == KeyState.STAGED for key in keys)
    seen = rollout_of(flow) if is_staged else None
    for key in keys:
        row = version_row(key, moment, may_change, seen)
        by_purpose.setdefault(key.purpose, []).append(row)
    rows = []
    for spec in flow.contract.all_purposes():
        versions = tuple(by_purpose.get(spec.name, ()))
        latest = versions[0].key.version if versions else 0
        rows.append(PurposeRow(spec=spec, versions=versions, next_version=latest + 1))
    return rows


def version_row(
    key: Key,
    now: datetime,
    may_change: bool,  # noqa: FBT001
    seen: Rollout | None = None,
) -> VersionRow:
    """Return ``key`` as its row shows it at ``now``; ``seen`` is how far its flow is loaded."""
    possible = lifecycle.allowed_verbs(key) if may_change else ()
    return VersionRow(
        key=key,
        opens=key.opens(now),
        fingerprint=key.short_fingerprint,
        verbs=tuple(verb for verb in OFFERED if verb in possible),
        rollout=seen if seen and seen.processes and key.state == KeyState.STAGED else None,
    )
