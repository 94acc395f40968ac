"""Replays: the worker goes through a range of deliveries, one piece after the other.

Each piece is one transaction: it locks the replay, sends the next deliveries of the range again and
writes down how far it came. So a worker that is killed loses the piece it was at, which left
nothing behind, and whoever goes on counts nothing twice. Two workers are never at one replay.

Every piece is found by where the last one ended, so the millionth costs what the first does. What
is sent again goes when nothing fresh is due for its endpoint (``Urgency.REPLAY``); in a lane it
keeps its order, behind what is fresh.
"""

from __future__ import annotations

import logging
import time
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from callbacks import tasks
from callbacks.models import Delivery, Replay, ReplayState, Urgency
from callbacks.operations import again
from callbacks.operations.selection import PIECE, Selection, after

logger = logging.getLogger(__name__)

#: Seconds after which a worker turns to other duties, so that none is kept from them.
LONGEST_TURN: Final = 10.0


def go_on(seconds: float = LONGEST_TURN) -> bool:
    """Do pieces of all running replays in turn; False where some are left after ``seconds``.

    One whose piece fails is left for the next time; the others go on.
    """
    until = time.monotonic() + seconds
    failed: set[UUID] = set()
    while waiting := [pk for pk in running() if pk not in failed]:
        moved = False
        for replay_id in waiting:
            if time.monotonic() >= until:
                return False
            try:
                moved |= do_piece(replay_id)
            except Exception as error:  # noqa: BLE001 - one bad replay must not stop the others
                logger.error("Replay %s: %s", replay_id, type(error).__name__)  # noqa: TRY400
                failed.add(replay_id)
        if not moved:  # other workers are at all of them
            return True
    return not failed


def running() -> list[UUID]:
    """Return the replays that run, the oldest first."""
    rows = Replay.objects.filter(state=ReplayState.RUNNING).order_by("created_at")
    return list(rows.values_list("pk", flat=True))


def do_piece(replay_id: UUID) -> bool:
    """Do the next piece; False if the replay has ended or another worker is at it."""
    _count(replay_id)
    with transaction.atomic():
        rows = Replay.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
        replay = rows.filter(pk=replay_id, state=ReplayState.RUNNING).first()
        if replay is None:
            return False
        piece = _next(replay)
        wanted = [item for item in piece if _is_wanted(replay, item)]
        found = again.lock(wanted, Q(state__in=replay.states)) if wanted else []
        again.send_again(found, timezone.now(), urgency=Urgency.REPLAY, replay=replay)
        replay.seen += len(piece)
        replay.queued += len(found)
        if piece:
            replay.cursor_at, replay.cursor_id = piece[-1].created_at, piece[-1].pk
        if len(piece) < PIECE:
            replay.state, replay.ended_at = ReplayState.DONE, timezone.now()
        replay.save(update_fields=["seen", "queued", "cursor_at", "cursor_id", "state", "ended_at"])
        if found:
            transaction.on_commit(tasks.ring)
    return True


def selection_of(replay: Replay) -> Selection:
    """Return what the replay goes through."""
    return Selection(
        client=replay.client,
        flow=replay.flow,
        endpoint=replay.endpoint,
        event=replay.event,
        states=tuple(replay.states),
        since=replay.since,
        until=replay.until,
    )


def _count(replay_id: UUID) -> None:
    """Write how many there are to look at, once, outside of any lock: it may take a while."""
    related = Replay.objects.select_related("client", "flow", "endpoint")
    replay = related.filter(pk=replay_id, state=ReplayState.RUNNING, total=None).first()
    if replay is not None:
        total = selection_of(replay).scope.order_by().count()
        Replay.objects.filter(pk=replay_id, total=None).update(total=total)


def _next(replay: Replay) -> list[Delivery]:
    rows = selection_of(replay).scope.only(
        "pk", "endpoint_id", "lane", "created_at", "event", "state"
    )
    if replay.cursor_at is not None:
        rows = rows.filter(after(replay.cursor_at, replay.cursor_id))
    return list(rows[:PIECE])


def _is_wanted(replay: Replay, delivery: Delivery) -> bool:
    return delivery.state in replay.states and replay.event in {"", delivery.event}
