"""The verbs that a second person can be asked about, and how each is done once they agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tenants.actors import Actor
from tenants.clearance import Intent
from tenants.lifecycle import clients, keys
from tenants.lifecycle.base import LifecycleError, lock_client, lock_flow
from tenants.models import ApprovalRequest, Client, Flow, Key


def _nothing(intent: Intent, material: bytes) -> None:
    """Most verbs have nothing expensive to check."""


@dataclass(frozen=True, slots=True)
class CoveredVerb:
    """How one verb is done, and how people are told of it.

    ``do`` calls the verb itself, which checks permission and state, and returns the row it
    changed or made. ``check`` is what takes long, done before a transaction begins. ``title``
    takes what it is done to; ``effect`` is what approving it means.
    """

    title: str
    effect: str
    do: Callable[[Actor, Intent, bytes], Client | Key]
    check: Callable[[Intent, bytes], None] = _nothing


def covered(verb: str) -> CoveredVerb:
    """Return how ``verb`` is done. Raises LifecycleError for one that needs no second person."""
    try:
        return COVERED[verb]
    except KeyError:
        known = ", ".join(COVERED)
        raise LifecycleError(
            f"{verb} is not asked for. A second person decides on {known}."
        ) from None


def lock_rows(intent: Intent) -> None:
    """Lock what the intent's verb locks first, so that the policy and the rows stand still."""
    if intent.flow_id is None:
        lock_client(intent.client_id)
    else:
        lock_flow(intent.flow_id)


def _flow(intent: Intent) -> Flow:
    return Flow.objects.get(pk=_named(intent.flow_id))


def _key(intent: Intent) -> Key:
    return Key.objects.get(pk=_named(intent.key_id))


def _named(pk: UUID | None) -> UUID:
    if pk is None:
        raise LifecycleError("The request does not say which flow or key it is about.")
    return pk


def _check_import(intent: Intent, material: bytes) -> None:
    keys.check_material(_flow(intent), intent.arguments["purpose"], material)


def _import(actor: Actor, intent: Intent, material: bytes) -> Key:
    return keys.insert_checked(actor, _flow(intent), intent.arguments["purpose"], material)


def _revoke(actor: Actor, intent: Intent, _: bytes) -> Key:
    return keys.revoke_key(actor, _key(intent), reason=intent.arguments["reason"])


def _destroy(actor: Actor, intent: Intent, _: bytes) -> Key:
    return keys.destroy_key(actor, _key(intent), reason=intent.arguments["reason"])


def _relax(actor: Actor, intent: Intent, _: bytes) -> Client:
    client = Client.objects.get(pk=intent.client_id)
    return clients.relax_client(actor, client, reason=intent.arguments["reason"])


def what(row: ApprovalRequest) -> str:
    """Return what a request asks for, such as *Revoke API key version 2*."""
    verb = covered(row.verb)
    if row.key is not None:
        return verb.title.format(row.key.title)
    if row.flow is not None and "purpose" in row.details:
        return verb.title.format(row.flow.contract.purpose(row.details["purpose"]).title)
    return verb.title.format(row.client)


COVERED: Final[Mapping[str, CoveredVerb]] = {
    "key.revoke": CoveredVerb(
        "Revoke {}", "Within a second it opens nothing anywhere, and it never does again.", _revoke
    ),
    "key.import": CoveredVerb(
        "Import {}",
        "The secret becomes the next version: staged, or active at once where there is no active "
        "version. It opens from then on. Compare the fingerprint with whoever made it.",
        _import,
        _check_import,
    ),
    "key.destroy": CoveredVerb(
        "Destroy {}", "Its material is erased for good; row and fingerprint stay.", _destroy
    ),
    "client.relax": CoveredVerb(
        "Let one person alone change the keys of {}",
        "From then on revoking, importing, destroying and handing over a key of this client need "
        "no second person.",
        _relax,
    ),
}
