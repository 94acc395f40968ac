"""The verbs on hand-overs: one-time links by which a partner fetches credentials.

A link is a random token. Only its digest is stored, and the row holds no secret: those are read
from the key versions when the link is opened, which burns it in the same transaction. Whoever has
the token may open it, once; every reason why it does not open gets the same words.

None of these verbs counts the epoch up: nothing that serves requests depends on a hand-over.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from crypto_schemes.keys import Kind
from tenants.actors import Actor
from tenants.clearance import Intent
from tenants.key_material import open_material
from tenants.lifecycle import second_person
from tenants.lifecycle.base import LifecycleError, audit, lock_flow
from tenants.lifecycle.bundles import (
    HandedText,
    PartnerBundle,
    bundle_of,
    is_for_partner,
    text_of,
    url_of,
)
from tenants.lifecycle.handover_tokens import digest_of, is_token, link_of, new_token
from tenants.models import Flow, HandOver, HandOverState, Key, KeyState

#: How long a link opens, unless said otherwise.
DEFAULT_LIFETIME: Final = timedelta(hours=72)
SHORTEST_LIFETIME: Final = timedelta(hours=1)
LONGEST_LIFETIME: Final = timedelta(days=14)
#: States whose versions a partner should start with.
_CURRENT: Final = (KeyState.STAGED, KeyState.ACTIVE)


class HandOverClosedError(LifecycleError):
    """A link does not open. Nothing was changed, and the message is the same for every reason.

    ``why`` is for the log and never for who asks: ``unknown``, ``switched_off``,
    ``not_for_partner``, or the state of the link. ``handover_id`` is None for ``unknown``.
    """

    def __init__(self, why: str, handover_id: UUID | None = None) -> None:
        super().__init__(
            "This link does not open: it was opened before, has expired, was withdrawn, or is "
            "not complete. Ask whoever sent it for a new one."
        )
        self.why = why
        self.handover_id = handover_id


@dataclass(frozen=True, slots=True)
class IssuedHandOver:
    """A hand-over just made, with the one chance to see its token."""

    handover: HandOver
    keys: tuple[Key, ...]
    token: str = field(repr=False)

    @property
    def url(self) -> str:
        """Return the link."""
        return link_of(self.token)


@dataclass(frozen=True, slots=True)
class HandedOver:
    """What an opened link shows.

    ``ends`` says of versions that were replaced meanwhile, by their titles, until when they work.
    """

    handover: HandOver
    flow: Flow
    url: str
    bundle: PartnerBundle = field(repr=False)
    ends: tuple[tuple[str, datetime], ...] = ()


def keys_to_hand_over(flow: Flow) -> list[Key]:
    """Return what a partner needs now: of each purpose that is for them the newest version.

    That is a staged one where there is one, else the active. In the contract's order, without
    the material.
    """
    current = flow.keys.filter(state__in=_CURRENT).defer("material")
    newest = {key.purpose: key for key in current.order_by("version")}
    for_partner = _names_for_partner(flow)
    return _in_order(flow, (key for key in newest.values() if key.purpose in for_partner))


def create_handover(
    actor: Actor,
    flow: Flow,
    *,
    keys: Collection[UUID] | None = None,
    lifetime: timedelta = DEFAULT_LIFETIME,
    token: str = "",
) -> IssuedHandOver:
    """Make a link to some versions of a flow: ``keys``, else :func:`keys_to_hand_over`.

    What it shows is fixed now: a version made later is not in it. ``token`` is one of
    tenants.lifecycle.new_token, for who must know it before they ask a second person.
    Raises LifecycleError for versions that a partner must not or should not get, for a flow that
    is switched off, and for a lifetime outside 1 hour to 14 days; SchemeError where a version
    cannot be written down; SecondPersonNeededError.
    """
    token = token or new_token()
    handover, covered = insert_handover(actor, flow, keys, lifetime, digest_of(token))
    return IssuedHandOver(handover=handover, keys=tuple(covered), token=token)


@transaction.atomic
def insert_handover(
    actor: Actor,
    flow: Flow,
    keys: Collection[UUID] | None,
    lifetime: timedelta,
    token_digest: str,
) -> tuple[HandOver, list[Key]]:
    """Do what :func:`create_handover` does, for a token of which only the digest is known."""
    actor.require("tenants.add_handover")
    if not SHORTEST_LIFETIME <= lifetime <= LONGEST_LIFETIME:
        raise LifecycleError(
            f"A link opens for 1 hour to {LONGEST_LIFETIME.days} days. Choose a time between."
        )
    locked = lock_flow(flow.pk)
    if not (locked.is_enabled and locked.client.is_enabled):
        raise LifecycleError(
            "This flow or its client is switched off, and no link to it opens. Switch it on first."
        )
    covered = _chosen(locked, keys)
    _bundle(locked, covered)  # what cannot be written down is better known now
    said = {"keys": _names(covered), "hours": lifetime / timedelta(hours=1)}
    second_person.require(
        actor, Intent("handover.create", locked.client_id, locked.pk, arguments=said)
    )
    handover = HandOver(
        flow=locked,
        token_digest=token_digest,
        created_by=actor.name[:150],
        expires_at=timezone.now() + lifetime,
    )
    handover.save(force_insert=True)
    handover.keys.set(covered)
    after = _facts(handover, covered) | {"expires_at": handover.expires_at.isoformat()}
    audit(actor, "handover.create", flow=locked, after=after)
    return handover, covered


@transaction.atomic
def withdraw_handover(actor: Actor, handover: HandOver) -> HandOver:
    """Have a link open no more. Raises LifecycleError when it was opened already."""
    actor.require("tenants.change_handover")
    flow = lock_flow(handover.flow_id)
    locked = _lock(handover)
    if locked.withdrawn_at is not None:
        return locked
    if locked.opened_at is not None:
        raise LifecycleError(
            f"This link was opened at {locked.opened_at:%Y-%m-%d %H:%M} UTC. If that was not the "
            "partner, revoke what it contains."
        )
    locked.withdrawn_at = timezone.now()
    locked.save(update_fields=["withdrawn_at"])
    audit(actor, "handover.withdraw", flow=flow, after=_facts(locked, _covered(flow, locked)))
    return locked


def open_handover(token: str, *, address: str, request_id: str = "") -> HandedOver:
    """Burn the link of ``token`` and return what it shows; of many at once one gets it.

    ``address`` is the caller's, for the audit trail. Raises HandOverClosedError for every link
    that does not open, and AtRestError or SchemeError when what it shows cannot be read; then
    the link is not burned.
    """
    row = (
        HandOver.objects.filter(token_digest=digest_of(token)).first() if is_token(token) else None
    )
    if row is None:
        raise HandOverClosedError("unknown")
    with transaction.atomic():
        # The flow's lock holds back every verb on its keys and its client's switch.
        flow = lock_flow(row.flow_id)
        handover = _lock(row)
        covered = _covered(flow, handover)
        now = timezone.now()
        if why := _why_closed(handover, flow, covered, now):
            raise HandOverClosedError(why, handover.pk)
        opened = HandedOver(
            handover=handover,
            flow=flow,
            url=url_of(flow),
            bundle=_bundle(flow, covered),
            ends=tuple((key.title, key.accept_until) for key in covered if key.accept_until),
        )
        handover.opened_at, handover.opened_from = now, address or None
        handover.save(update_fields=["opened_at", "opened_from"])
        holder = Actor(name="hand-over link", address=address or None, request_id=request_id)
        audit(holder, "handover.open", flow=flow, after=_facts(handover, covered))
    return opened


# --- the parts -----------------------------------------------------------------------------


def _lock(handover: HandOver) -> HandOver:
    return HandOver.objects.select_for_update().get(pk=handover.pk)


def _covered(flow: Flow, handover: HandOver) -> list[Key]:
    return _in_order(flow, flow.keys.filter(handovers=handover))


def _in_order(flow: Flow, keys: Iterable[Key]) -> list[Key]:
    """Return ``keys`` in the contract's order."""
    places = {spec.name: place for place, spec in enumerate(flow.contract.all_purposes())}
    return sorted(keys, key=lambda key: places.get(key.purpose, len(places)))


def _names_for_partner(flow: Flow) -> set[str]:
    return {spec.name for spec in flow.contract.all_purposes() if is_for_partner(spec)}


def _chosen(flow: Flow, ids: Collection[UUID] | None) -> list[Key]:
    """Return the versions to cover, in the contract's order. Raises LifecycleError."""
    if ids is None:
        chosen = keys_to_hand_over(flow)
    else:
        chosen = list(flow.keys.filter(pk__in=ids))
        if len(chosen) != len(set(ids)):
            raise LifecycleError("A chosen version is none of this flow. Open its page again.")
    if not chosen:
        raise LifecycleError("There is nothing to hand over. Choose or generate a version first.")
    for_partner = _names_for_partner(flow)
    for key in chosen:
        if key.purpose not in for_partner:
            text = f"{key.title} is not for the partner and is never handed over."
            raise LifecycleError(text, key=key)
        if key.state not in _CURRENT:
            raise LifecycleError(
                f"{key.title} is {key.state}. Hand over a staged or active version.", key=key
            )
    if len({key.purpose for key in chosen}) != len(chosen):
        raise LifecycleError("A link shows one version for each purpose. Make one link for each.")
    return _in_order(flow, chosen)


def _why_closed(handover: HandOver, flow: Flow, covered: Sequence[Key], now: datetime) -> str:
    """Return why the link does not open, or an empty text."""
    state = handover.state(now)
    if state != HandOverState.WAITING:
        return str(state)
    if not (flow.is_enabled and flow.client.is_enabled):
        return "switched_off"
    for_partner = _names_for_partner(flow)
    if not covered or not all(key.purpose in for_partner for key in covered):
        return "not_for_partner"
    return ""


def _bundle(flow: Flow, covered: Sequence[Key]) -> PartnerBundle:
    """Return what the partner gets of ``covered``. Raises AtRestError or SchemeError."""
    options = flow.contract.options_type.from_mapping(flow.options)
    texts = []
    for key in covered:
        spec = flow.contract.purpose(key.purpose)
        if spec.kind is Kind.RSA:
            # The public half is at hand: nothing needs to be opened.
            pem, name = key.public_pem, spec.credential_name
            texts.append(HandedText(spec=spec, plain=pem, written=pem, written_name=name))
        else:
            texts.append(text_of(flow, spec, open_material(key), options))
    return bundle_of(flow, texts)


def _facts(handover: HandOver, covered: Collection[Key]) -> dict[str, Any]:
    return {
        "handover": str(handover.pk),
        "keys": _names(covered),
    }


def _names(covered: Iterable[Key]) -> list[str]:
    return [f"{key.purpose}/{key.version}" for key in covered]
