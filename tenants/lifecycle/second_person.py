"""The rule of two people: what a client's policy holds back until somebody else agrees.

A verb that is covered calls :func:`require` after every other check and before it writes
anything. Being held back therefore means: all that is missing is a second person.
"""

from __future__ import annotations

from tenants.actors import Actor
from tenants.clearance import Intent
from tenants.lifecycle.base import LifecycleError
from tenants.models import Client


class SecondPersonNeededError(LifecycleError):
    """The policy wants a second person for ``intent``. Nothing was changed."""

    def __init__(self, intent: Intent) -> None:
        super().__init__(
            f"{intent.verb} needs a second person here, and nothing was done. Ask for it "
            "(approvals.request, or the button in the admin); another administrator decides "
            "within 24 hours, under Approvals or with: manage.py key approvals approve"
        )
        self.intent = intent


def require(actor: Actor, intent: Intent) -> None:
    """Let ``actor`` go on with ``intent`` if its client's policy allows or a second person did.

    Call it with the intent's flow (or client) locked: the policy cannot change meanwhile then.
    A clearance is good for exactly this intent, once. Raises SecondPersonNeededError, and
    LifecycleError for a clearance that is for something else.
    """
    clearance = actor.clearance
    if clearance is not None:
        if clearance.is_spent or clearance.intent != intent:
            raise LifecycleError(
                "What was agreed to is not what would be done. Nothing was changed; ask again."
            )
        clearance.is_spent = True
        return
    if Client.objects.filter(pk=intent.client_id, needs_second_person=True).exists():
        raise SecondPersonNeededError(intent)
