"""Have deliveries tried again, or never more: one, some, or all that match."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from callbacks import channels, tasks
from callbacks.channels import Result
from callbacks.models import Delivery, DeliveryState
from callbacks.operations import again
from callbacks.operations.selection import PIECE, Selection
from tenants import audit_chain
from tenants.actors import Actor
from tenants.lifecycle.base import one_line

PERMISSION = "callbacks.retry_delivery"
#: Told the number of deliveries of every piece that is done.
Told = Callable[[int], object]


def retry(actor: Actor, delivery_ids: Iterable[UUID], *, reason: str = "") -> int:
    """Have deliveries tried at once, with the whole schedule before them; returns how many.

    Left alone are those that arrived and those a worker is trying at this moment. In a lane each
    keeps its place and its turn. Raises NotAllowedError.
    """
    actor.require(PERMISSION)
    return sum(_retry_piece(actor, piece, reason) for piece in _known(delivery_ids))


def retry_matching(
    actor: Actor, selection: Selection, *, reason: str = "", told: Told = lambda count: None
) -> int:
    """Do :func:`retry` for all that match now, piece by piece; returns how many.

    Killed in between, what is done is done: call it again. Raises NotAllowedError.
    """
    actor.require(PERMISSION)
    return sum(_retry_piece(actor, piece, reason, selection, told) for piece in selection.pieces())


def cancel(actor: Actor, delivery_ids: Iterable[UUID], *, reason: str = "") -> int:
    """Have pending deliveries never be tried again; returns how many.

    Left alone are those that are settled, and those a worker is trying at this moment: whether
    they arrive is known when the attempt is over. Raises NotAllowedError.
    """
    actor.require(PERMISSION)
    return sum(_cancel_piece(actor, piece, reason) for piece in _known(delivery_ids))


def cancel_matching(
    actor: Actor, selection: Selection, *, reason: str = "", told: Told = lambda count: None
) -> int:
    """Do :func:`cancel` for all that match now, piece by piece; returns how many."""
    actor.require(PERMISSION)
    return sum(_cancel_piece(actor, piece, reason, selection, told) for piece in selection.pieces())


def _known(delivery_ids: Iterable[UUID]) -> Iterable[list[Delivery]]:
    ids = sorted(set(delivery_ids))
    for start in range(0, len(ids), PIECE):
        rows = Delivery.objects.filter(pk__in=ids[start : start + PIECE]).order_by()
        yield list(rows.only("pk", "endpoint_id", "lane"))


def _is_idle(now: datetime) -> Q:
    """Return the condition that no worker is at a delivery; one that died holds none."""
    return Q(leased_until__isnull=True) | Q(leased_until__lte=now)


@transaction.atomic
def _retry_piece(
    actor: Actor,
    piece: Sequence[Delivery],
    reason: str,
    selection: Selection | None = None,
    told: Told = lambda count: None,
) -> int:
    now = timezone.now()
    wanted = _is_idle(now) & ~Q(state=DeliveryState.DELIVERED) & _again(selection)
    found = again.lock(piece, wanted)
    again.send_again(found, now)
    _note(actor, "delivery.retry", found, reason, selection)
    if found:
        transaction.on_commit(tasks.ring)
    transaction.on_commit(lambda: told(len(piece)))
    return len(found)


@transaction.atomic
def _cancel_piece(
    actor: Actor,
    piece: Sequence[Delivery],
    reason: str,
    selection: Selection | None = None,
    told: Told = lambda count: None,
) -> int:
    now = timezone.now()
    found = again.lock(piece, _is_idle(now) & Q(state=DeliveryState.PENDING) & _again(selection))
    again.take_out(found, now)
    for delivery in found:
        delivery.state, delivery.settled_at = DeliveryState.CANCELLED, now
        delivery.next_attempt_at = None
        if delivery.channel in channels.names():
            result = Result(error="cancelled", is_permanent=True)
            channels.get(delivery.channel).settled(delivery, result)
    _note(actor, "delivery.cancel", found, reason, selection)
    if any(delivery.lane for delivery in found):
        transaction.on_commit(tasks.ring)
    transaction.on_commit(lambda: told(len(piece)))
    return len(found)


def _again(selection: Selection | None) -> Q:
    """Return the states asked for: a worker may have moved a row on since it was found."""
    return Q(state__in=selection.states) if selection and selection.states else Q()


def _note(
    actor: Actor,
    verb: str,
    found: Sequence[Delivery],
    reason: str,
    selection: Selection | None,
) -> None:
    """Write an entry for each delivery that was named, or one for a piece of what matched."""
    reason = one_line(reason)
    if selection is None:
        for delivery in found:
            is_cancelled = verb == "delivery.cancel"
            before = DeliveryState.PENDING if is_cancelled else delivery.state
            audit_chain.append(
                actor,
                verb,
                flow=delivery.flow,
                before={"state": str(before), "step": delivery.step},
                after={"delivery": str(delivery.pk)},
                reason=reason,
            )
    elif found:
        audit_chain.append(
            actor,
            f"{verb}_many",
            client=selection.client,
            flow=selection.flow or (selection.endpoint.flow if selection.endpoint else None),
            before=selection.facts,
            after={"deliveries": len(found)},
            reason=reason,
        )
