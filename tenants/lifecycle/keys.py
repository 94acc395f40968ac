"""The verbs on keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
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
from tenants.lifecycle.bundles import HandedText, text_of
from tenants.lifecycle.confirmation import require_confirmed_use
from tenants.lifecycle.expiry import check_expiry
from tenants.lifecycle.transitions import TRANSITION, end, facts, guard
from tenants.models import Flow, Key, KeyState

#: How long an old version still opens after its successor was promoted.
DEFAULT_OVERLAP = timedelta(days=7)
LONGEST_OVERLAP = timedelta(days=90)
#: NIST SP 800-56B §6.2: public exponents from 2^16 + 1.
_SMALLEST_EXPONENT: Final = 65_537


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key version just made, with the one chance to see a symmetric secret.

    ``handed`` is the text to hand over: the token, the AES key, or the PEM of a public key; None
    where nothing is handed over.
    """

    key: Key
    handed: HandedText | None

    @property
    def secret(self) -> str:
        """Return the text as the contract's options write it; empty where there is none."""
        return self.handed.written if self.handed else ""


def generate_key(
    actor: Actor,
    flow: Flow,
    purpose: str,
    *,
    version: int | None = None,
    expires_at: datetime | None = None,
) -> IssuedKey:
    """Make a new version: active when the purpose has no active one yet, else staged.

    ``version`` is the number it must get, for callers that must not make two by accident;
    ``expires_at`` is by when it should be replaced. Raises LifecycleError for a purpose the
    contract has not, another number, or an expiry in the past.
    """
    actor.require("tenants.add_key")
    check_expiry(expires_at)
    spec = _spec(flow, purpose)
    material = flow.contract.new_material(spec, _options(flow))
    with transaction.atomic():
        locked = lock_flow(flow.pk)
        if version is not None and version != _next_version(locked, spec):
            raise LifecycleError(f"{spec.title} version {version} was made already.")
        state = _first_state(locked, spec)
        issued = issue(actor, locked, spec, material, state, expires_at=expires_at)
        _note_epoch(issued.key, touch(locked.pk))
    return issued


def import_key(
    actor: Actor,
    flow: Flow,
    purpose: str,
    material: bytes,
    *,
    expires_at: datetime | None = None,
) -> Key:
    """Take a secret made elsewhere: active when there is no active one yet, else staged.

    ``material`` is in stored form (PKCS#8 DER, raw AES bytes, token ASCII) and is checked in
    full. Raises KeyMaterialError for material that is malformed or weak, LifecycleError for a
    purpose the contract has not, a secret that is or was a version already or an expiry in the
    past, and SecondPersonNeededError.
    """
    actor.require("tenants.add_key")
    check_material(flow, purpose, material)
    return insert_checked(actor, flow, purpose, material, expires_at=expires_at)


def import_text(
    actor: Actor,
    flow: Flow,
    purpose: str,
    text: str,
    *,
    passphrase: str = "",
    expires_at: datetime | None = None,
) -> Key:
    """Take a secret a person pasted: a PEM, an AES key as the options write it, a token.

    Raises what :func:`import_key` raises.
    """
    actor.require("tenants.add_key")
    material = read_text(flow, purpose, text, passphrase)
    return import_key(actor, flow, purpose, material, expires_at=expires_at)


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
def insert_checked(
    actor: Actor,
    flow: Flow,
    purpose: str,
    material: bytes,
    *,
    expires_at: datetime | None = None,
) -> Key:
    """Do what is left of :func:`import_key` once the material is checked."""
    actor.require("tenants.add_key")
    check_expiry(expires_at)
    spec = _spec(flow, purpose)
    locked = lock_flow(flow.pk)
    key = _new_row(locked, spec, material, _first_state(locked, spec), expires_at)
    known = locked.keys.filter(purpose=purpose, fingerprint=key.fingerprint).first()
    if known is not None:
        raise LifecycleError(
            f"This secret is {known.title} of this flow already ({known.state}). Import another.",
            key=known,
        )
    _refuse_used_elsewhere(key)
    said = {"purpose": purpose, "fingerprint": key.fingerprint}
    if expires_at is not None:
        said["expires_at"] = expires_at.isoformat()
    second_person.require(actor, Intent("key.import", locked.client_id, locked.pk, None, said))
    _insert(key)
    audit(actor, "key.import", key=key, after=facts(key))
    _note_epoch(key, touch(locked.pk))
    return key


@transaction.atomic
def promote_key(
    actor: Actor,
    key: Key,
    *,
    overlap: timedelta = DEFAULT_OVERLAP,
    override: str = "",
    reason: str = "",
    confirmed_use: str = "",
) -> Key:
    """Make a staged version the active one; its predecessor goes on opening for ``overlap``.

    An overlap of zero retires the predecessor at once: the same as :func:`retire_key`, with
    ``reason`` and ``confirmed_use`` for it. Promoting the active version again changes nothing.
    Every live process must have loaded the version (tenants.rollout), or ``override`` says why
    it cannot wait for that. Raises LifecycleError.
    """
    actor.require("tenants.change_key")
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise LifecycleError(f"The overlap must be 0 to {LONGEST_OVERLAP.days} days.")
    locked = lock_flow(key.flow_id)
    key = locked.keys.get(pk=key.pk)
    if key.state == KeyState.ACTIVE:
        return key
    guard(key, "promote")
    reason = one_line(reason)
    if not overlap:
        for old in locked.keys.filter(purpose=key.purpose, state=KeyState.ACTIVE):
            require_confirmed_use(old, confirmed_use, reason)
    overridden = require_loaded(key, override.strip())
    now = timezone.now()
    lock_keys(locked.keys.filter(purpose=key.purpose, state__in=(KeyState.STAGED, KeyState.ACTIVE)))
    for old in locked.keys.filter(purpose=key.purpose, state=KeyState.ACTIVE):
        before = facts(old)
        if overlap:
            old.state, old.accept_until = KeyState.RETIRING, now + overlap
        else:
            old.state, old.ended_at, old.end_reason = KeyState.RETIRED, now, reason
        old.save(update_fields=TRANSITION)
        audit(actor, "key.retire", key=old, before=before, after=facts(old), reason=reason)
    before = facts(key)
    key.state, key.activated_at = KeyState.ACTIVE, now
    key.save(update_fields=TRANSITION)
    why = override.strip() if overridden else ""
    after = {**facts(key), **overridden}
    audit(actor, "key.promote", key=key, before=before, after=after, reason=why)
    touch(locked.pk)
    return key


@transaction.atomic
def retire_key(actor: Actor, key: Key, *, reason: str = "", confirmed_use: str = "") -> Key:
    """End a staged or retiring version now. The active one must be replaced first.

    One that is in use takes ``confirmed_use``, what a person typed, and a reason: else raises
    UseNotConfirmedError with the figures. Raises LifecycleError.
    """
    actor.require("tenants.change_key")
    locked = lock_flow(key.flow_id)
    key = locked.keys.get(pk=key.pk)
    if key.state == KeyState.RETIRED:
        return key
    guard(key, "retire")
    reason = one_line(reason)
    require_confirmed_use(key, confirmed_use, reason)
    return end(actor, key, KeyState.RETIRED, verb="key.retire", reason=reason)


@transaction.atomic
def revoke_key(actor: Actor, key: Key, *, reason: str, confirmed_use: str = "") -> Key:
    """Stop a version from opening anything, at once. Needs a reason.

    One that is in use takes ``confirmed_use``, what a person typed: else raises
    UseNotConfirmedError with the figures. Who does it with the leave of a second person typed
    it when they asked. Raises LifecycleError or SecondPersonNeededError.
    """
    actor.require("tenants.change_key")
    locked = lock_flow(key.flow_id)
    key = locked.keys.get(pk=key.pk)
    if key.state == KeyState.REVOKED:
        return key
    guard(key, "revoke")
    reason, typed = one_line(reason), one_line(confirmed_use)
    if actor.clearance is None:
        require_confirmed_use(key, typed, reason)
    if not reason:
        raise LifecycleError("Revoking needs a reason; it stands in the audit trail.")
    said = {"reason": reason} | ({"confirmed_use": typed} if typed else {})
    second_person.require(actor, Intent("key.revoke", locked.client_id, locked.pk, key.pk, said))
    return end(actor, key, KeyState.REVOKED, verb="key.revoke", reason=reason)


def retire_expired_keys(now: datetime | None = None) -> int:
    """Retire every version whose overlap is over; returns how many there were.

    They stopped opening at that very second; this makes the rows say so, in use or not.
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
                end(Actor.product(), key, KeyState.RETIRED, verb="key.retire", reason=reason)
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
    actor: Actor,
    flow: Flow,
    spec: PurposeSpec,
    material: bytes,
    state: KeyState,
    *,
    expires_at: datetime | None = None,
) -> IssuedKey:
    """Write fresh material as the next version, inside a transaction that locked the flow."""
    key = _new_row(flow, spec, material, state, expires_at)
    _insert(key)
    audit(actor, "key.generate", key=key, after=facts(key))
    handed = text_of(flow, spec, material, _options(flow)) if spec.shared else None
    return IssuedKey(key=key, handed=handed)


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


def _new_row(
    flow: Flow, spec: PurposeSpec, material: bytes, state: KeyState, expires_at: datetime | None
) -> Key:
    """Return the next version, sealed but not written."""
    key = Key(
        flow=flow,
        purpose=spec.name,
        version=_next_version(flow, spec),
        state=state,
        expires_at=expires_at,
    )
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


def _note_epoch(key: Key, epoch: int) -> None:
    """Write down from which epoch on a process knows the version (tenants.rollout)."""
    key.since_epoch = epoch
    key.save(update_fields=("since_epoch",))


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


def _spec(flow: Flow, purpose: str) -> PurposeSpec:
    try:
        return flow.contract.purpose(purpose)
    except KeyError:
        known = ", ".join(spec.name for spec in flow.contract.all_purposes())
        raise LifecycleError(f"{flow.scheme} has no purpose {purpose}. It has {known}.") from None
