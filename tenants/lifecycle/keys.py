"""The verbs on keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from crypto_schemes import keys
from crypto_schemes.ciphers import rsa
from crypto_schemes.errors import KeyMaterialError, OptionsError
from crypto_schemes.keys import Kind, PurposeSpec
from crypto_schemes.options import Options
from tenants import at_rest, digests
from tenants.actors import Actor
from tenants.clearance import Intent
from tenants.lifecycle import second_person
from tenants.lifecycle.barrier import require_loaded
from tenants.lifecycle.base import LifecycleError, audit, lock_flow, lock_keys, one_line, touch
from tenants.models import Flow, Key, KeyState

#: How long an old version still opens after its successor was promoted.
DEFAULT_OVERLAP = timedelta(days=7)
LONGEST_OVERLAP = timedelta(days=90)
#: NIST SP 800-56B §6.2: public exponents from 2^16 + 1.
_SMALLEST_EXPONENT: Final = 65_537
#: From which states each verb moves a version on.
_FROM: Final[Mapping[str, tuple[KeyState, ...]]] = {
    "promote": (KeyState.STAGED,),
    "retire": (KeyState.STAGED, KeyState.RETIRING),
    "revoke": (KeyState.STAGED, KeyState.ACTIVE, KeyState.RETIRING, KeyState.RETIRED),
    "destroy": (KeyState.RETIRED, KeyState.REVOKED),
}
#: What a transition writes; never the use counts, which requests write meanwhile.
_TRANSITION: Final = ("state", "activated_at", "accept_until", "ended_at", "end_reason")


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key version just made, with the one chance to see a symmetric secret.

    ``secret`` is the text to hand over: the token, the AES key as the contract's options write
    it, or the PEM of a public key; empty where nothing is handed over.
    """

    key: Key
    secret: str = field(repr=False)


def allowed_verbs(key: Key) -> tuple[str, ...]:
    """Return the verbs that would move ``key`` on from where it stands."""
    return tuple(verb for verb, states in _FROM.items() if key.state in states)


def generate_key(
    actor: Actor, flow: Flow, purpose: str, *, version: int | None = None
) -> IssuedKey:
    """Make a new version: active when the purpose has no active one yet, else staged.

    ``version`` is the number it must get, for callers that must not make two by accident.
    Raises LifecycleError for a purpose the contract has not, or another number.
    """
    actor.require("tenants.add_key")
    spec = _spec(flow, purpose)
    material = flow.contract.new_material(spec, _options(flow))
    with transaction.atomic():
        locked = lock_flow(flow.pk)
        if version is not None and version != _next_version(locked, spec):
            raise LifecycleError(f"{spec.title} version {version} was made already.")
        issued = issue(actor, locked, spec, material, _first_state(locked, spec))
        touch(locked.pk)
    return issued


def import_key(actor: Actor, flow: Flow, purpose: str, material: bytes) -> Key:
    """Take a secret made elsewhere: active when there is no active one yet, else staged.

    ``material`` is in stored form (PKCS#8 DER, raw AES bytes, token ASCII) and is checked in
    full. Raises KeyMaterialError for material that is malformed or weak, LifecycleError for a
    purpose the contract has not or a secret that is or was a version already, and
    SecondPersonNeededError.
    """
    actor.require("tenants.add_key")
    check_material(flow, purpose, material)
    return insert_checked(actor, flow, purpose, material)


def import_text(actor: Actor, flow: Flow, purpose: str, text: str, *, passphrase: str = "") -> Key:
    """Take a secret a person pasted: a PEM, an AES key as the options write it, a token.

    Raises what :func:`import_key` raises.
    """
    actor.require("tenants.add_key")
    return import_key(actor, flow, purpose, read_text(flow, purpose, text, passphrase))


def read_text(flow: Flow, purpose: str, text: str, passphrase: str = "") -> bytes:
    """Return what a person pasted in stored form. Raises KeyMaterialError or LifecycleError."""
    spec = _spec(flow, purpose)
    return flow.contract.material_from_text(spec, text, _options(flow), passphrase)


def check_material(flow: Flow, purpose: str, material: bytes) -> None:
    """Raise KeyMaterialError for material that is malformed or weak.

    Takes up to half a second for a pair of 4096 bits: do it before a transaction begins.
    """
    spec = _spec(flow, purpose)
    _refuse_weak(spec, keys.parse_material(spec, material, trusted=False))


@transaction.atomic
def insert_checked(actor: Actor, flow: Flow, purpose: str, material: bytes) -> Key:
    """Do what is left of :func:`import_key` once the material is checked."""
    actor.require("tenants.add_key")
    spec = _spec(flow, purpose)
    locked = lock_flow(flow.pk)
    key = _new_row(locked, spec, material, _first_state(locked, spec))
    known = locked.keys.filter(purpose=purpose, fingerprint=key.fingerprint).first()
    if known is not None:
        raise LifecycleError(
            f"This secret is {known.title} of this flow already ({known.state}). Import another.",
            key=known,
        )
    _refuse_used_elsewhere(key)
    said = {"purpose": purpose, "fingerprint": key.fingerprint}
    second_person.require(actor, Intent("key.import", locked.client_id, locked.pk, None, said))
    _insert(key)
    audit(actor, "key.import", key=key, after=_facts(key))
    touch(locked.pk)
    return key


@transaction.atomic
def promote_key(
    actor: Actor, key: Key, *, overlap: timedelta = DEFAULT_OVERLAP, override: str = ""
) -> Key:
    """Make a staged version the active one; its predecessor goes on opening for ``overlap``.

    An overlap of zero retires the predecessor at once. Promoting the active version again
    changes nothing. Every live process must have loaded the version (tenants.rollout), or
    ``override`` says why it cannot wait for that. Raises LifecycleError.
    """
    actor.require("tenants.change_key")
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise LifecycleError(f"The overlap must be 0 to {LONGEST_OVERLAP.days} days.")
    locked = lock_flow(key.flow_id)
    key = locked.keys.get(pk=key.pk)
    if key.state == KeyState.ACTIVE:
        return key
    _guard(key, "promote")
    overridden = require_loaded(locked, key, override.strip())
    now = timezone.now()
    lock_keys(locked.keys.filter(purpose=key.purpose, state__in=(KeyState.STAGED, KeyState.ACTIVE)))
    for old in locked.keys.filter(purpose=key.purpose, state=KeyState.ACTIVE):
        before = _facts(old)
        if overlap:
            old.state, old.accept_until = KeyState.RETIRING, now + overlap
        else:
            old.state, old.ended_at = KeyState.RETIRED, now
        old.save(update_fields=_TRANSITION)
        audit(actor, "key.retire", key=old, before=before, after=_facts(old))
    before = _facts(key)
    key.state, key.activated_at = KeyState.ACTIVE, now
    key.save(update_fields=_TRANSITION)
    reason = override.strip() if overridden else ""
    after = {**_facts(key), **overridden}
    audit(actor, "key.promote", key=key, before=before, after=after, reason=reason)
    touch(locked.pk)
    return key


@transaction.atomic
def retire_key(actor: Actor, key: Key, *, reason: str = "") -> Key:
    """End a staged or retiring version now. The active one must be replaced first."""
    actor.require("tenants.change_key")
    locked = lock_flow(key.flow_id)
    key = locked.keys.get(pk=key.pk)
    if key.state == KeyState.RETIRED:
        return key
    _guard(key, "retire")
    return _end(actor, key, KeyState.RETIRED, verb="key.retire", reason=reason)


@transaction.atomic
def revoke_key(actor: Actor, key: Key, *, reason: str) -> Key:
    """Stop a version from opening anything, at once. Needs a reason.

    Raises LifecycleError or SecondPersonNeededError.
    """
    actor.require("tenants.change_key")
    reason = one_line(reason)
    if not reason:
        raise LifecycleError("Revoking needs a reason; it stands in the audit trail.")
    locked = lock_flow(key.flow_id)
    key = locked.keys.get(pk=key.pk)
    if key.state == KeyState.REVOKED:
        return key
    _guard(key, "revoke")
    said = {"reason": reason}
    second_person.require(actor, Intent("key.revoke", locked.client_id, locked.pk, key.pk, said))
    return _end(actor, key, KeyState.REVOKED, verb="key.revoke", reason=reason)


@transaction.atomic
def destroy_key(actor: Actor, key: Key, *, reason: str = "") -> Key:
    """Erase the material of a retired or revoked version; row and fingerprint stay.

    Raises LifecycleError or SecondPersonNeededError.
    """
    actor.require("tenants.delete_key")
    locked = lock_flow(key.flow_id)
    key = locked.keys.get(pk=key.pk)
    if key.state == KeyState.DESTROYED:
        return key
    _guard(key, "destroy")
    reason = one_line(reason) or key.end_reason
    said = {"reason": reason}
    second_person.require(actor, Intent("key.destroy", locked.client_id, locked.pk, key.pk, said))
    key.material = b""
    key.lookup_digest = ""
    return _end(actor, key, KeyState.DESTROYED, verb="key.destroy", reason=reason)


def retire_expired_keys(now: datetime | None = None) -> int:
    """Retire every version whose overlap is over; returns how many there were.

    They stopped opening at that very second; this makes the rows say so.
    """
    moment = now or timezone.now()
    expired = Key.objects.filter(state=KeyState.RETIRING, accept_until__lte=moment)
    flow_ids: set[UUID] = set(expired.order_by().values_list("flow_id", flat=True))
    count = 0
    for flow_id in sorted(flow_ids):
        with transaction.atomic():
            lock_flow(flow_id)
            lock_keys(expired.filter(flow_id=flow_id))
            for key in expired.filter(flow_id=flow_id).select_related("flow"):
                reason = "The overlap is over."
                _end(Actor.product(), key, KeyState.RETIRED, verb="key.retire", reason=reason)
                count += 1
    return count


# --- the parts -----------------------------------------------------------------------------


def first_materials(flow: Flow) -> Sequence[tuple[PurposeSpec, bytes]]:
    """Return fresh material for every purpose a new flow starts with."""
    contract, options = flow.contract, _options(flow)
    return [
        (spec, contract.new_material(spec, options))
        for spec in contract.all_purposes()
        if spec.issued_at_creation
    ]


def issue(
    actor: Actor, flow: Flow, spec: PurposeSpec, material: bytes, state: KeyState
) -> IssuedKey:
    """Write fresh material as the next version, inside a transaction that locked the flow."""
    key = _new_row(flow, spec, material, state)
    _insert(key)
    audit(actor, "key.generate", key=key, after=_facts(key))
    secret = flow.contract.material_to_text(spec, material, _options(flow)) if spec.shared else ""
    return IssuedKey(key=key, secret=secret)


def _options(flow: Flow) -> Options:
    try:
        return flow.contract.options_type.from_mapping(flow.options)
    except OptionsError as error:
        raise ValidationError({"options": error.what}) from None


def _next_version(flow: Flow, spec: PurposeSpec) -> int:
    latest: int | None = flow.keys.filter(purpose=spec.name).aggregate(Max("version"))[
        "version__max"
    ]
    return (latest or 0) + 1


def _first_state(flow: Flow, spec: PurposeSpec) -> KeyState:
    has_active = flow.keys.filter(purpose=spec.name, state=KeyState.ACTIVE).exists()
    return KeyState.STAGED if has_active else KeyState.ACTIVE


def _new_row(flow: Flow, spec: PurposeSpec, material: bytes, state: KeyState) -> Key:
    """Return the next version, sealed but not written."""
    key = Key(flow=flow, purpose=spec.name, version=_next_version(flow, spec), state=state)
    if spec.kind is Kind.RSA:
        pair = rsa.load_private_der(material, trusted=True)
        key.public_pem, key.fingerprint = rsa.public_pem(pair), rsa.spki_fingerprint(pair)
    else:
        key.fingerprint = digests.fingerprint(spec.name, material)
    if spec.locates:
        text = material.decode("ascii")
        key.lookup_digest = digests.lookup_digest(flow.scheme, spec.name, text)
    key.material = at_rest.seal(material, key.at_rest_context)
    if state == KeyState.ACTIVE:
        key.activated_at = timezone.now()
    return key


def _insert(key: Key) -> None:
    try:
        with transaction.atomic():
            key.save(force_insert=True)
    except IntegrityError:
        # Version numbers are safe under the flow's lock: it can only be the locating secret.
        _refuse_used_elsewhere(key)
        raise


def _refuse_used_elsewhere(key: Key) -> None:
    if Key.objects.filter(lookup_digest=key.lookup_digest).exclude(lookup_digest="").exists():
        raise KeyMaterialError(
            f"This {key.purpose} is in use by another flow.", "Every flow needs its own."
        ) from None


def _refuse_weak(spec: PurposeSpec, material: keys.Material) -> None:
    if isinstance(material, bytes | str):
        if len(set(material)) < 4:
            raise KeyMaterialError(f"{spec.name} repeats a few characters.", "Use a random one.")
    elif rsa.public_exponent(material) < _SMALLEST_EXPONENT:
        raise KeyMaterialError(
            f"{spec.name} has a public exponent below {_SMALLEST_EXPONENT}.", "Make a new pair."
        )


def _end(actor: Actor, key: Key, state: KeyState, *, verb: str, reason: str) -> Key:
    before = _facts(key)
    key.state, key.accept_until, key.end_reason = state, None, reason[:200]
    key.ended_at = timezone.now()
    key.save(update_fields=[*_TRANSITION, "material", "lookup_digest"])
    audit(actor, verb, key=key, before=before, after=_facts(key), reason=reason)
    touch(key.flow_id)
    return key


def _spec(flow: Flow, purpose: str) -> PurposeSpec:
    try:
        return flow.contract.purpose(purpose)
    except KeyError:
        known = ", ".join(spec.name for spec in flow.contract.all_purposes())
        raise LifecycleError(f"{flow.scheme} has no purpose {purpose}. It has {known}.") from None


def _guard(key: Key, verb: str) -> None:
    if verb not in allowed_verbs(key):
        allowed = " or ".join(state.value for state in _FROM[verb])
        advice = f"{verb} takes a {allowed} version."
        if verb == "retire" and key.state == KeyState.ACTIVE:
            advice = "Promote its successor instead, or revoke it."
        raise LifecycleError(f"{key.title} is {key.state}. {advice}", key=key)


def _facts(key: Key) -> dict[str, Any]:
    return {
        "purpose": key.purpose,
        "version": key.version,
        "state": str(key.state),
        "fingerprint": key.fingerprint[:16],
        "accept_until": key.accept_until.isoformat() if key.accept_until else None,
    }
