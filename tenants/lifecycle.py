"""Every verb on clients, flows and keys, in one place.

Each verb checks the permission, takes the flow's row lock, guards the transition, writes the
change, counts the epoch up (so that every process notices) and leaves an audit entry, all in
one transaction. The admin, the commands and scripts call these and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Max
from django.utils import timezone

from crypto_schemes import base64_text, keys
from crypto_schemes.ciphers import rsa
from crypto_schemes.errors import KeyMaterialError, OptionsError
from crypto_schemes.keys import Kind, PurposeSpec
from tenants import at_rest, digests
from tenants.actors import Actor
from tenants.addresses import make_address
from tenants.models import AuditEntry, Backend, Client, Flow, Key, KeyringEpoch, KeyState

#: How long an old version still opens after its successor was promoted.
DEFAULT_OVERLAP = timedelta(days=7)
LONGEST_OVERLAP = timedelta(days=90)


class LifecycleError(Exception):
    """A verb cannot be done now. Nothing was changed; the message says what would help."""


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key version just made, with the one chance to see a symmetric secret.

    ``secret`` is the text to hand over: the token, base64 or hex of an AES key, or the PEM of
    a public key; empty where nothing is handed over.
    """

    key: Key
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class IssuedFlow:
    """A flow just made, and the bundle of credentials for its partner (shown once)."""

    flow: Flow
    credentials: Mapping[str, str] = field(repr=False)
    callback_secret: str = field(repr=False)


# --- clients and flows -------------------------------------------------------------------


@transaction.atomic
def create_client(actor: Actor, *, slug: str, name: str = "", **details: Any) -> Client:
    """Return a new client. Raises ValidationError for a bad or used slug."""
    actor.require("tenants.add_client")
    client = Client(slug=slug, name=name or slug, **details)
    client.full_clean()
    client.save(force_insert=True)
    _audit(actor, "client.create", client=client, after={"slug": slug})
    return client


@transaction.atomic
def update_client(actor: Actor, client: Client, changes: Mapping[str, Any]) -> Client:
    """Write ``changes`` to a client. Raises ValidationError."""
    actor.require("tenants.change_client")
    locked = Client.objects.select_for_update().get(pk=client.pk)
    before, after = _apply(locked, changes)
    if after:
        locked.full_clean()
        locked.save()
        Flow.objects.filter(client=locked).update(changed_epoch=_bump_epoch())
        _audit(actor, "client.update", client=locked, before=before, after=after)
    return locked


@transaction.atomic
def create_flow(
    actor: Actor,
    client: Client,
    scheme: str,
    *,
    address: str = "",
    options: Mapping[str, Any] | None = None,
    backend: str = Backend.SANDBOX,
    **details: Any,
) -> IssuedFlow:
    """Make a flow with its identities and first keys.

    Raises ValidationError for bad options or details, and LifecycleError when the address is
    in use.
    """
    actor.require("tenants.add_flow")
    flow = Flow(
        client=client, scheme=scheme, options=dict(options or {}), backend=backend, **details
    )
    flow.address = address or make_address(scheme)
    flow.clean_fields(exclude=["wire_id", "identity"])
    flow.clean()
    contract = flow.contract
    if Flow.objects.filter(scheme=scheme, address=flow.address).exists():
        raise LifecycleError(
            f"The {scheme} address {flow.address} is in use. Choose another, or leave it out "
            "to have one made."
        )
    flow.identity = {item.name: item.make(flow.address) for item in contract.identity}
    if contract.located_by is not None:
        flow.wire_id = {"address": flow.address, **flow.identity}[contract.located_by]
        if Flow.objects.filter(scheme=scheme, wire_id=flow.wire_id).exists():
            raise LifecycleError(
                f"The {contract.located_by} {flow.wire_id} is in use. Choose another address."
            )
    flow.validate_constraints()
    flow.changed_epoch = _bump_epoch()
    flow.save(force_insert=True)
    _audit(
        actor,
        "flow.create",
        flow=flow,
        after={"scheme": scheme, "address": flow.address, "backend": flow.backend},
    )
    credentials = dict(flow.identity)
    callback_secret = ""
    for spec in contract.all_purposes():
        if not spec.issued_at_creation:
            continue
        issued = _generate(actor, flow, spec, KeyState.ACTIVE)
        credentials[spec.credential_name] = issued.secret
        if spec.name == "callback_signing":
            callback_secret = issued.secret
    return IssuedFlow(
        flow=flow,
        credentials={name: credentials[name] for name in contract.bundle},
        callback_secret=callback_secret,
    )


@transaction.atomic
def update_flow(actor: Actor, flow: Flow, changes: Mapping[str, Any]) -> Flow:
    """Write ``changes`` to a flow. Raises ValidationError; contract and address never change."""
    actor.require("tenants.change_flow")
    fixed = {"client", "client_id", "scheme", "address", "wire_id", "identity"} & set(changes)
    if fixed:
        raise LifecycleError(f"{', '.join(sorted(fixed))} cannot be changed; make a new flow.")
    locked = _lock(flow)
    before, after = _apply(locked, changes)
    if after:
        locked.full_clean(exclude=["wire_id", "identity"])
        locked.changed_epoch = _bump_epoch()
        locked.save()
        _audit(actor, "flow.update", flow=locked, before=before, after=after)
    return locked


# --- keys --------------------------------------------------------------------------------


@transaction.atomic
def generate_key(actor: Actor, flow: Flow, purpose: str) -> IssuedKey:
    """Make a new version: active when the purpose has no active one yet, else staged.

    Raises LifecycleError for a purpose the contract has not.
    """
    actor.require("tenants.add_key")
    locked = _lock(flow)
    spec = _spec(locked, purpose)
    has_active = locked.keys.filter(purpose=purpose, state=KeyState.ACTIVE).exists()
    state = KeyState.STAGED if has_active else KeyState.ACTIVE
    _touch(locked)
    return _generate(actor, locked, spec, state)


@transaction.atomic
def import_key(actor: Actor, flow: Flow, purpose: str, material: bytes) -> Key:
    """Take a secret made elsewhere: active when there is no active one yet, else staged.

    ``material`` is in stored form (PKCS#8 DER, raw AES bytes, token ASCII). Raises
    LifecycleError or KeyMaterialError; the material is checked in full.
    """
    actor.require("tenants.add_key")
    locked = _lock(flow)
    spec = _spec(locked, purpose)
    keys.parse_material(spec, material, trusted=False)
    has_active = locked.keys.filter(purpose=purpose, state=KeyState.ACTIVE).exists()
    _touch(locked)
    key = _store(locked, spec, material, KeyState.STAGED if has_active else KeyState.ACTIVE)
    _audit(actor, "key.import", key=key, after=_facts(key))
    return key


@transaction.atomic
def promote_key(actor: Actor, key: Key, *, overlap: timedelta = DEFAULT_OVERLAP) -> Key:
    """Make a staged version the active one; its predecessor goes on opening for ``overlap``.

    An overlap of zero retires the predecessor at once. Promoting the active version again
    changes nothing. Raises LifecycleError.
    """
    actor.require("tenants.change_key")
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise LifecycleError(f"The overlap must be 0 to {LONGEST_OVERLAP.days} days.")
    locked = _lock(key.flow)
    key = locked.keys.get(pk=key.pk)
    if key.state == KeyState.ACTIVE:
        return key
    _guard(key, "promoted", KeyState.STAGED)
    now = timezone.now()
    for old in locked.keys.filter(purpose=key.purpose, state=KeyState.ACTIVE):
        before = _facts(old)
        if overlap:
            old.state, old.accept_until = KeyState.RETIRING, now + overlap
        else:
            old.state, old.ended_at = KeyState.RETIRED, now
        old.save()
        _audit(actor, "key.retire", key=old, before=before, after=_facts(old))
    before = _facts(key)
    key.state, key.activated_at = KeyState.ACTIVE, now
    key.save()
    _touch(locked)
    _audit(actor, "key.promote", key=key, before=before, after=_facts(key))
    return key


@transaction.atomic
def retire_key(actor: Actor, key: Key, *, reason: str = "") -> Key:
    """End a staged or retiring version now. The active one must be replaced first."""
    actor.require("tenants.change_key")
    locked = _lock(key.flow)
    key = locked.keys.get(pk=key.pk)
    if key.state == KeyState.RETIRED:
        return key
    _guard(key, "retired", KeyState.STAGED, KeyState.RETIRING)
    return _end(actor, key, KeyState.RETIRED, verb="key.retire", reason=reason)


@transaction.atomic
def revoke_key(actor: Actor, key: Key, *, reason: str) -> Key:
    """Stop a version from opening anything, at once. Needs a reason."""
    actor.require("tenants.change_key")
    if not reason.strip():
        raise LifecycleError("Revoking needs a reason; it stands in the audit trail.")
    locked = _lock(key.flow)
    key = locked.keys.get(pk=key.pk)
    if key.state == KeyState.REVOKED:
        return key
    _guard(key, "revoked", KeyState.STAGED, KeyState.ACTIVE, KeyState.RETIRING, KeyState.RETIRED)
    return _end(actor, key, KeyState.REVOKED, verb="key.revoke", reason=reason.strip())


@transaction.atomic
def destroy_key(actor: Actor, key: Key, *, reason: str = "") -> Key:
    """Erase the material of a retired or revoked version; row and fingerprint stay."""
    actor.require("tenants.delete_key")
    locked = _lock(key.flow)
    key = locked.keys.get(pk=key.pk)
    if key.state == KeyState.DESTROYED:
        return key
    _guard(key, "destroyed", KeyState.RETIRED, KeyState.REVOKED)
    key.material = b""
    key.lookup_digest = ""
    reason = reason or key.end_reason
    return _end(actor, key, KeyState.DESTROYED, verb="key.destroy", reason=reason)


# --- the parts -----------------------------------------------------------------------------


def handed_over(spec: PurposeSpec, material: bytes) -> str:
    """Return what a partner receives for ``material`` of ``spec``; empty when nothing."""
    if not spec.shared:
        return ""
    if spec.kind is Kind.RSA:
        return rsa.public_pem(rsa.load_private_der(material, trusted=True))
    if spec.kind is Kind.AES:
        return base64_text.encode(material)
    return material.decode("ascii")


def _generate(actor: Actor, flow: Flow, spec: PurposeSpec, state: KeyState) -> IssuedKey:
    contract = flow.contract
    try:
        options = contract.options_type.from_mapping(flow.options)
    except OptionsError as error:
        raise ValidationError({"options": error.what}) from None
    material = keys.generate_material(spec, contract.key_size(spec, options))
    key = _store(flow, spec, material, state)
    _audit(actor, "key.generate", key=key, after=_facts(key))
    return IssuedKey(key=key, secret=handed_over(spec, material))


def _store(flow: Flow, spec: PurposeSpec, material: bytes, state: KeyState) -> Key:
    latest = flow.keys.filter(purpose=spec.name).aggregate(latest=Max("version"))["latest"] or 0
    key = Key(flow=flow, purpose=spec.name, version=latest + 1, state=state)
    if spec.kind is Kind.RSA:
        pair = rsa.load_private_der(material, trusted=True)
        key.public_pem, key.fingerprint = rsa.public_pem(pair), rsa.spki_fingerprint(pair)
    else:
        key.fingerprint = digests.fingerprint(spec.name, material)
    if spec.locates:
        text = material.decode("ascii")
        key.lookup_digest = digests.lookup_digest(flow.scheme, spec.name, text)
        taken = Key.objects.filter(lookup_digest=key.lookup_digest).exclude(flow=flow)
        if taken.exists():
            raise KeyMaterialError(f"This {spec.name} is in use by another flow.")
    key.material = at_rest.seal(material, key.at_rest_context)
    if state == KeyState.ACTIVE:
        key.activated_at = timezone.now()
    key.save(force_insert=True)
    return key


def _end(actor: Actor, key: Key, state: KeyState, *, verb: str, reason: str) -> Key:
    before = _facts(key)
    key.state, key.accept_until, key.end_reason = state, None, reason[:200]
    key.ended_at = timezone.now()
    key.save()
    _touch(key.flow)
    _audit(actor, verb, key=key, before=before, after=_facts(key), reason=reason)
    return key


def _lock(flow: Flow) -> Flow:
    return Flow.objects.select_for_update().select_related(None).get(pk=flow.pk)


def _spec(flow: Flow, purpose: str) -> PurposeSpec:
    try:
        return flow.contract.purpose(purpose)
    except KeyError:
        known = ", ".join(spec.name for spec in flow.contract.all_purposes())
        raise LifecycleError(f"{flow.scheme} has no purpose {purpose}. It has {known}.") from None


def _guard(key: Key, what: str, *states: KeyState) -> None:
    if key.state not in states:
        allowed = " or ".join(state.value for state in states)
        raise LifecycleError(f"{key} is {key.state}; only a {allowed} version can be {what}.")


def _touch(flow: Flow) -> None:
    Flow.objects.filter(pk=flow.pk).update(changed_epoch=_bump_epoch())


def _bump_epoch() -> int:
    """Count the epoch up and return it. The row stays locked until the transaction ends."""
    if not KeyringEpoch.objects.filter(pk=1).update(value=F("value") + 1):
        KeyringEpoch.objects.get_or_create(pk=1)
        KeyringEpoch.objects.filter(pk=1).update(value=F("value") + 1)
    return KeyringEpoch.objects.get(pk=1).value


def _apply(row: Client | Flow, changes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    before, after = {}, {}
    for name, value in changes.items():
        old = getattr(row, name)
        if old != value:
            before[name], after[name] = old, value
            setattr(row, name, value)
    return before, after


def _facts(key: Key) -> dict[str, Any]:
    return {
        "purpose": key.purpose,
        "version": key.version,
        "state": str(key.state),
        "fingerprint": key.fingerprint[:16],
        "accept_until": key.accept_until.isoformat() if key.accept_until else None,
    }


def _audit(
    actor: Actor,
    verb: str,
    *,
    client: Client | None = None,
    flow: Flow | None = None,
    key: Key | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
) -> None:
    flow = flow or (key.flow if key else None)
    AuditEntry.objects.create(
        actor=actor.name[:150],
        actor_address=actor.address,
        verb=verb,
        client=client or (flow.client if flow else None),
        flow=flow,
        key=key,
        before=dict(before or {}),
        after=dict(after or {}),
        reason=reason[:200],
        request_id=actor.request_id[:64],
    )
