"""The verbs that a second person can be asked about, and how each is done once they agree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tenants.actors import Actor
from tenants.clearance import Intent
from tenants.lifecycle import clients, destruction, flows, handovers, keys
from tenants.lifecycle.base import LifecycleError, lock_client, lock_flow
from tenants.lifecycle.flow_changes import Change, in_words
from tenants.models import ApprovalRequest, Client, Flow, HandOver, Key


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
    do: Callable[[Actor, Intent, bytes], Client | Flow | Key | HandOver]
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
    expires = intent.arguments.get("expires_at")
    return keys.insert_checked(
        actor,
        _flow(intent),
        intent.arguments["purpose"],
        material,
        expires_at=datetime.fromisoformat(expires) if expires else None,
    )


def _revoke(actor: Actor, intent: Intent, _: bytes) -> Key:
    said = intent.arguments
    typed = said.get("confirmed_use", "")
    return keys.revoke_key(actor, _key(intent), reason=said["reason"], confirmed_use=typed)


def _destroy(actor: Actor, intent: Intent, _: bytes) -> Key:
    said = intent.arguments
    return destruction.schedule_destruction(
        actor, _key(intent), days=said["days"], reason=said["reason"]
    )


def _hand_over(actor: Actor, intent: Intent, digest: bytes) -> HandOver:
    flow = _flow(intent)
    keys = [key.pk for key in _listed(flow, intent.arguments["keys"])]
    lifetime = timedelta(hours=intent.arguments["hours"])
    return handovers.insert_handover(actor, flow, keys, lifetime, digest.decode("ascii"))[0]


def _listed(flow: Flow, names: Iterable[str]) -> list[Key]:
    """Return the versions of ``flow`` that are called so, such as *api_key/2*."""
    pairs = [name.split("/") for name in names]
    return [
        flow.keys.defer("material").get(purpose=purpose, version=int(version))
        for purpose, version in pairs
    ]


def _relax(actor: Actor, intent: Intent, _: bytes) -> Client:
    client = Client.objects.get(pk=intent.client_id)
    return clients.relax_client(actor, client, reason=intent.arguments["reason"])


def _update_flow(actor: Actor, intent: Intent, _: bytes) -> Flow:
    said = intent.arguments
    return flows.update_flow(actor, _flow(intent), said["becomes"], reason=said["reason"])


def what(row: ApprovalRequest) -> str:
    """Return what a request asks for, such as *Revoke API key version 2*."""
    said = str(row.client)
    if row.key is not None and row.verb != "key.import":
        said = row.key.title
    elif row.flow is not None and "keys" in row.details:
        said = ", ".join(key.title for key in _listed(row.flow, row.details["keys"]))
    elif row.flow is not None and row.verb == "flow.update":
        said = str(row.flow)
    elif row.flow is not None:
        said = row.flow.contract.purpose(row.details["purpose"]).title
    return covered(row.verb).title.format(said)


def changes(row: ApprovalRequest) -> list[Change]:
    """Return what a request changes of the settings of a flow, in words; nothing for others."""
    if row.flow is None or "becomes" not in row.details:
        return []
    return in_words(row.flow, row.details["was"], row.details["becomes"])


def fingerprints(row: ApprovalRequest) -> list[str]:
    """Return the fingerprints of the versions a request is about, also of one to be imported."""
    if "fingerprint" in row.details:
        return [row.details["fingerprint"]]
    if row.key is not None:
        return [row.key.fingerprint]
    named = row.details.get("keys", ())
    return [key.fingerprint for key in _listed(row.flow, named)] if row.flow else []


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
    "key.schedule_destruction": CoveredVerb(
        "Erase the material of {}",
        "When the days asked for are over, counted from now, its material is erased for good, "
        "unless somebody cancels that; row and fingerprint stay.",
        _destroy,
    ),
    "handover.create": CoveredVerb(
        "Hand over {}",
        "Who asked was shown the link; from now on it shows the partner these secrets, once. "
        "Nobody else has seen it, you included.",
        _hand_over,
    ),
    "flow.update": CoveredVerb(
        "Change where the data of {} goes",
        "Within a second what partners send is opened for the backend named here, results go to "
        "the callback URL, and only the networks named may call. Ask somebody who knows the "
        "addresses whether they are yours.",
        _update_flow,
    ),
    "client.relax": CoveredVerb(
        "Let one person alone change the keys of {}",
        "From then on revoking, importing, erasing and handing over a key of this client, and "
        "changing where its data goes, need no second person.",
        _relax,
    ),
}
