"""Which verb moves a version on from which state, and what every such step is made of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.utils import timezone

from tenants.actors import Actor
from tenants.lifecycle.base import LifecycleError, audit, touch
from tenants.models import OPENING_STATES, Key, KeyState

#: From which states each verb moves a version on.
_FROM: Final[Mapping[str, tuple[KeyState, ...]]] = {
    "promote": (KeyState.STAGED,),
    "retire": (KeyState.STAGED, KeyState.RETIRING),
    "revoke": (KeyState.STAGED, KeyState.ACTIVE, KeyState.RETIRING, KeyState.RETIRED),
    "set_expiry": OPENING_STATES,
    "schedule_destruction": (KeyState.RETIRED, KeyState.REVOKED),
    "cancel_destruction": (KeyState.RETIRED, KeyState.REVOKED),
}
#: What a transition writes; never the use counts, which requests write meanwhile.
TRANSITION: Final = (
    "state",
    "activated_at",
    "accept_until",
    "ended_at",
    "end_reason",
    "destroy_at",
)


def allowed_verbs(key: Key) -> tuple[str, ...]:
    """Return the verbs that would move ``key`` on from where it stands."""
    pending = key.destroy_at is not None
    needless = "schedule_destruction" if pending else "cancel_destruction"
    return tuple(verb for verb, states in _FROM.items() if key.state in states and verb != needless)


def guard(key: Key, verb: str) -> None:
    """Raise LifecycleError, with what would help, where ``verb`` does not fit the state."""
    if key.state in _FROM[verb]:
        return
    allowed = " or ".join(state.value for state in _FROM[verb])
    advice = f"{verb.replace('_', ' ').capitalize()} takes a {allowed} version."
    if verb == "retire" and key.state == KeyState.ACTIVE:
        advice = "Promote its successor instead, or revoke it."
    if key.state == KeyState.DESTROYED:
        advice = "Its material is gone for good."
    raise LifecycleError(f"{key.title} is {key.state}. {advice}", key=key)


def end(actor: Actor, key: Key, state: KeyState, *, verb: str, reason: str) -> Key:
    """Have a locked version end in ``state``, inside a transaction.

    One that is destroyed loses its material, and goes on saying why it ended before.
    """
    before = facts(key)
    key.state, key.accept_until, key.ended_at = state, None, timezone.now()
    if state == KeyState.DESTROYED:
        key.material, key.lookup_digest, key.destroy_at = b"", "", None
    else:
        key.end_reason = reason[:200]
    key.save(update_fields=[*TRANSITION, "material", "lookup_digest"])
    audit(actor, verb, key=key, before=before, after=facts(key), reason=reason)
    touch(key.flow_id)
    return key


def facts(key: Key) -> dict[str, Any]:
    """Return what the audit trail says of a version, before and after."""
    return {
        "purpose": key.purpose,
        "version": key.version,
        "state": str(key.state),
        "fingerprint": key.fingerprint[:16],
        "accept_until": _text(key.accept_until),
        "expires_at": _text(key.expires_at),
        "destroy_at": _text(key.destroy_at),
    }


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
