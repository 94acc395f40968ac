"""Promotion with patience: what the admin and the command line do."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from tenants import rollout
from tenants.actors import Actor
from tenants.lifecycle.barrier import NotLoadedError
from tenants.lifecycle.keys import DEFAULT_OVERLAP, promote_key
from tenants.models import Key, KeyState
from tenants.rollout import Rollout


def promote_when_loaded(
    actor: Actor,
    key: Key,
    *,
    seconds: float,
    overlap: timedelta = DEFAULT_OVERLAP,
    override: str = "",
    reason: str = "",
    confirmed_use: str = "",
    on_look: Callable[[Rollout], None] | None = None,
) -> Key:
    """Promote as :func:`promote_key` does, as soon as every live process has loaded the version.

    Waits ``seconds`` at most, and not at all with an ``override``; ``on_look`` is told for whom.
    Not to be called inside a transaction. Raises what :func:`promote_key` raises: NotLoadedError
    names the processes that were waited for in vain.
    """
    actor.require("tenants.change_key")
    deadline = time.monotonic() + seconds
    while True:
        if key.state == KeyState.STAGED and not override.strip():
            rollout.wait(key.flow_id, key.since_epoch, deadline - time.monotonic(), on_look)
        try:
            return promote_key(
                actor,
                key,
                overlap=overlap,
                override=override,
                reason=reason,
                confirmed_use=confirmed_use,
            )
        except NotLoadedError:
            # A process may have come up since: its first report is of what it read as it began.
            if time.monotonic() >= deadline:
                raise
