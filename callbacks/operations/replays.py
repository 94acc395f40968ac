"""Begin and end replays; the worker does them (callbacks/replaying.py)."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from callbacks import tasks
from callbacks.models import DeliveryState, Replay, ReplayState
from callbacks.operations.deliveries import PERMISSION
from callbacks.operations.selection import Selection
from tenants import audit_chain
from tenants.actors import Actor
from tenants.lifecycle.base import LifecycleError, one_line

#: What can be sent again; what is pending is sent anyway.
REPLAYABLE: Final = (DeliveryState.FAILED, DeliveryState.CANCELLED, DeliveryState.DELIVERED)


@transaction.atomic
def start_replay(actor: Actor, selection: Selection, *, reason: str = "") -> Replay:
    """Have the worker send again everything of the selection, whatever its size.

    It needs ``since``, ``until`` and states that can be sent again. What has arrived before goes
    out with the id it had, by which receivers know it. Raises NotAllowedError and LifecycleError.
    """
    actor.require(PERMISSION)
    now = timezone.now()
    states = sorted(set(selection.states))
    if not states or not set(states) <= set(REPLAYABLE):
        raise LifecycleError(f"Say which to send again: {', '.join(REPLAYABLE)}.")
    if selection.since is None or selection.until is None:
        raise LifecycleError("A replay needs the time from which and until which it goes.")
    until = min(selection.until, now)
    if selection.since >= until:
        raise LifecycleError("The range must begin before it ends, and in the past.")
    replay = Replay.objects.create(
        since=selection.since,
        until=until,
        client=selection.client,
        flow=selection.flow,
        endpoint=selection.endpoint,
        event=selection.event[:64],
        states=states,
        requested_by=actor.name[:150],
        reason=one_line(reason),
    )
    audit_chain.append(
        actor,
        "replay.start",
        client=selection.client,
        flow=selection.flow or (selection.endpoint.flow if selection.endpoint else None),
        after={"replay": str(replay.pk), **selection.facts},
        reason=replay.reason,
    )
    transaction.on_commit(tasks.ring_replays)
    return replay


@transaction.atomic
def cancel_replay(actor: Actor, replay_id: UUID, *, reason: str = "") -> Replay:
    """End a running replay where it is; what it sent again already stays so.

    Raises NotAllowedError and LifecycleError.
    """
    actor.require(PERMISSION)
    replay = Replay.objects.select_for_update(no_key=True).filter(pk=replay_id).first()
    if replay is None:
        raise LifecycleError("There is no such replay.")
    if replay.state != ReplayState.RUNNING:
        raise LifecycleError(f"The replay is {replay.state} already.")
    replay.state, replay.ended_at = ReplayState.CANCELLED, timezone.now()
    replay.save(update_fields=["state", "ended_at"])
    audit_chain.append(
        actor,
        "replay.cancel",
        client=replay.client,
        flow=replay.flow,
        after={"replay": str(replay.pk), "seen": replay.seen, "queued": replay.queued},
        reason=one_line(reason),
    )
    return replay
