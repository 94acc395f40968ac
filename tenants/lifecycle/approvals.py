"""Asking a second person, and what comes of it.

Somebody asks for a verb that a client's policy holds back (:mod:`tenants.lifecycle.second_person`).
Within 24 hours another administrator approves, and the verb is done in that very transaction,
in the name of who asked and with the rights they have then; or refuses; or who asked withdraws; or
it expires. A request ends once, and what it carried is erased as it ends.

The whole request is sealed with what it carries. It is done only if its columns, which the
approver was shown, still say the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeVar

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from tenants.actors import Actor, NotAllowedError
from tenants.clearance import Clearance, Intent
from tenants.lifecycle import requests
from tenants.lifecycle.base import LifecycleError, one_line
from tenants.lifecycle.covered import covered, lock_rows
from tenants.lifecycle.requests import how_it_ended, intent_of, lapse, lock
from tenants.lifecycle.second_person import SecondPersonNeededError
from tenants.models import ApprovalRequest, ApprovalState, Key

DECIDE: Final = "tenants.decide_approvalrequest"
Done = TypeVar("Done")


# --- asking --------------------------------------------------------------------------------


def do_or_ask(
    actor: Actor, verb: Callable[[Actor], Done], *, reason: str, material: bytes = b""
) -> Done | ApprovalRequest:
    """Do ``verb`` and return what it returns, or ask for it where it needs a second person."""
    try:
        return verb(actor)
    except SecondPersonNeededError as needed:
        intent = needed.intent
    return request(actor, intent, reason=reason, material=material)


def request(actor: Actor, intent: Intent, *, reason: str, material: bytes = b"") -> ApprovalRequest:
    """Ask for ``intent``. Asking again changes nothing.

    ``material`` is what the verb needs and nobody may read meanwhile: the secret of an import,
    the digest of a hand-over's token.

    The verb is tried: what it would refuse now (a permission, a state, a weak key) it refuses
    here. Raises what the verb raises, and LifecycleError where no second person is needed, no
    reason is given, or somebody asked for the same already.
    """
    reason = one_line(reason)
    if not reason:
        raise LifecycleError("Asking needs a reason: the other person decides by it.")
    _require_account(actor)
    verb = covered(intent.verb)
    verb.check(intent, material)
    with transaction.atomic():
        lock_rows(intent)
        try:
            verb.do(replace(actor, clearance=None), intent, material)
        except SecondPersonNeededError as needed:
            if needed.intent != intent:
                raise LifecycleError("It changed meanwhile. Look again, then ask.") from None
        else:
            raise LifecycleError("This needs no second person: do it at once.")
        known = _asked_already(actor, intent, material)
        return known or requests.put(actor, intent, reason, material)


def _asked_already(actor: Actor, intent: Intent, material: bytes) -> ApprovalRequest | None:
    """Return the actor's own pending request for the same; end those that waited too long."""
    rows = ApprovalRequest.objects.select_for_update(no_key=True).filter(
        Q(flow=intent.flow_id) & Q(key=intent.key_id),
        verb=intent.verb,
        client_id=intent.client_id,
        state=ApprovalState.PENDING,
    )
    for row in rows.order_by("pk"):
        is_same = row.details == intent.arguments
        # One verb waits once for a key or client; for a flow, once with the same arguments.
        if lapse(row) or not (is_same or intent.key_id or not intent.flow_id):
            continue
        if row.requested_by_account != actor.account:
            raise LifecycleError(
                f"{row.requested_by} asked for this already; it waits until "
                f"{row.expires_at:%Y-%m-%d %H:%M} UTC. Whoever may decide can approve it."
            )
        if not is_same or requests.material_of(row) != material:
            raise LifecycleError(
                "You asked for this already, in another way. Withdraw that request first."
            )
        return row
    return None


# --- deciding ------------------------------------------------------------------------------


def approve(actor: Actor, asked: ApprovalRequest, *, note: str = "") -> ApprovalRequest:
    """Agree, and have the verb done, in one transaction. Doing so again changes nothing.

    Raises NotAllowedError, and LifecycleError when it is one's own request, is decided or
    expired, was tampered with, or when who asked cannot do it (any more): then it goes on
    waiting.
    """
    asked = _of_another(actor, asked)
    intent, material = intent_of(asked), b""
    if asked.state == ApprovalState.PENDING:
        material = requests.material_of(asked)
        covered(intent.verb).check(intent, material)
    with transaction.atomic():
        lock_rows(intent)
        row = lock(asked.pk)
        if row.state == ApprovalState.APPROVED and row.decided_by_account == actor.account:
            return row
        lapse(row)
        if row.state == ApprovalState.PENDING:
            if (intent_of(row), requests.material_of(row)) != (intent, material):
                raise LifecycleError("This request was changed just now. Look at it again.")
            _carry_out(actor, row, intent, material)
            requests.end(row, ApprovalState.APPROVED, actor, "approval.approve", note)
            return row
    raise LifecycleError(how_it_ended(row))


def _carry_out(actor: Actor, row: ApprovalRequest, intent: Intent, material: bytes) -> None:
    """Do the verb in the name of who asked."""
    clearance = Clearance(intent, {"approved_by": actor.name, "approval": str(row.pk)})
    asker = replace(
        Actor.of_account(row.requested_by_account, row.requested_by),
        request_id=actor.request_id,
        clearance=clearance,
    )
    try:
        done = covered(intent.verb).do(asker, intent, material)
    except NotAllowedError:
        raise LifecycleError(
            f"{row.requested_by} asked for this but may not do it any more. Refuse it."
        ) from None
    if not clearance.is_spent:
        raise LifecycleError("This was done already, in another way. Refuse the request.")
    if isinstance(done, Key):
        row.key = done


def refuse(actor: Actor, asked: ApprovalRequest, *, note: str = "") -> ApprovalRequest:
    """Decline what another asked for. Doing so again changes nothing.

    Raises NotAllowedError, and LifecycleError when it is one's own, is decided or expired.
    """
    asked = _of_another(actor, asked)
    return _end_undone(actor, asked, ApprovalState.REFUSED, "approval.refuse", note)


def withdraw(actor: Actor, asked: ApprovalRequest) -> ApprovalRequest:
    """Take back what one asked for oneself. Doing so again changes nothing.

    Raises NotAllowedError for anybody else, LifecycleError when it is decided or expired.
    """
    _require_account(actor)
    if actor.account != asked.requested_by_account:
        raise NotAllowedError("Only who asked can withdraw a request. Refuse it instead.")
    return _end_undone(actor, asked, ApprovalState.WITHDRAWN, "approval.withdraw")


def expire_requests(now: datetime | None = None) -> int:
    """End every request that waited too long, and erase what it carried; return how many."""
    moment = now or timezone.now()
    due = ApprovalRequest.objects.filter(state=ApprovalState.PENDING, expires_at__lte=moment)
    count = 0
    for pk in list(due.order_by("expires_at").values_list("pk", flat=True)):
        with transaction.atomic():
            count += lapse(lock(pk), moment)
    return count


# --- the parts -----------------------------------------------------------------------------


def _require_account(actor: Actor) -> None:
    if not actor.account:
        raise NotAllowedError(f"{actor.name} is no person, and neither asks nor decides.")


def _of_another(actor: Actor, asked: ApprovalRequest) -> ApprovalRequest:
    """Return the request as the database has it, if ``actor`` is the one to decide on it."""
    actor.require(DECIDE)
    _require_account(actor)
    row = ApprovalRequest.objects.get(pk=asked.pk)
    if actor.account == row.requested_by_account or actor.name == row.requested_by:
        raise LifecycleError(
            "You asked for this yourself: somebody else decides. You can withdraw it."
        )
    return row


def _end_undone(
    actor: Actor, asked: ApprovalRequest, state: ApprovalState, verb: str, note: str = ""
) -> ApprovalRequest:
    with transaction.atomic():
        row = lock(asked.pk)
        if row.state == state and row.decided_by_account == actor.account:
            return row
        lapse(row)
        if row.state == ApprovalState.PENDING:
            requests.end(row, state, actor, verb, note)
            return row
    raise LifecycleError(how_it_ended(row))
