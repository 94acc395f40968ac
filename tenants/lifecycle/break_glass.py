"""The way round the second person, for an emergency: from a shell on the host, and loudly."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from django.db import transaction

from tenants.actors import SHELL, Actor, NotAllowedError
from tenants.clearance import Clearance
from tenants.lifecycle.base import LifecycleError, audit, one_line
from tenants.lifecycle.covered import lock_rows
from tenants.lifecycle.second_person import SecondPersonNeededError
from tenants.models import Client, Flow, Key
from tenants.notices import tell_operators

_log = logging.getLogger("sealgate.approvals")
Done = TypeVar("Done")


def break_glass(actor: Actor, verb: Callable[[Actor], Done], *, reason: str) -> Done:
    """Do ``verb`` at once although it needs a second person, and return what it returns.

    It is called in a transaction: what takes long is done before.
    Stands in the audit trail as ``approval.break_glass`` after the verb itself, in the log as a
    warning, and in a mail to the operators. Where no second person is needed it is the verb and
    nothing else. Raises NotAllowedError for anybody but a shell, LifecycleError without a
    reason, and what the verb raises.
    """
    if actor.account != SHELL:
        raise NotAllowedError(f"{actor.name} cannot break the glass; a shell on the host can.")
    reason = one_line(reason)
    if not reason:
        raise LifecycleError("Breaking the glass needs a reason; it stands in the audit trail.")
    try:
        return verb(actor)
    except SecondPersonNeededError as needed:
        intent = needed.intent
    clearance = Clearance(intent, {"break_glass": reason})
    with transaction.atomic():
        lock_rows(intent)
        done = verb(replace(actor, clearance=clearance))
        client = Client.objects.get(pk=intent.client_id)
        audit(
            actor,
            "approval.break_glass",
            client=client,
            flow=Flow.objects.get(pk=intent.flow_id) if intent.flow_id else None,
            key=Key.objects.get(pk=intent.key_id) if intent.key_id else None,
            after={"verb": intent.verb},
            reason=reason,
        )
        tell_operators(
            f"{intent.verb} was done without a second person",
            f"{actor.name} broke the glass for client {client.slug}, whose keys need two people. "
            f"Reason: {reason}. The audit trail has it as approval.break_glass.",
        )
    _log.warning(
        "%s was done without the second person that its client's policy wants",
        intent.verb,
        extra={"actor": actor.name, "client": client.slug, "reason": reason},
    )
    return done
