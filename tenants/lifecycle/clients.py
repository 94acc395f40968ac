"""The verbs on clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.db import IntegrityError, transaction

from tenants.actors import Actor
from tenants.clearance import Intent
from tenants.lifecycle import second_person
from tenants.lifecycle.base import LifecycleError, apply, audit, lock_client, one_line, touch
from tenants.models import Client, Flow

_CHANGEABLE: Final = frozenset(
    {"slug", "name", "contact_email", "notes", "is_enabled", "needs_second_person"}
)


@transaction.atomic
def create_client(actor: Actor, *, slug: str, name: str = "", **details: Any) -> Client:
    """Return a new client. Raises ValidationError for a bad or used slug."""
    return save_new(actor, Client(slug=slug, name=name or slug, **details))


def save_new(actor: Actor, client: Client) -> Client:
    """Write a client that is not saved yet, inside a transaction. Raises ValidationError."""
    actor.require("tenants.add_client")
    client.name = client.name or client.slug
    client.full_clean()
    try:
        with transaction.atomic():
            client.save(force_insert=True)
    except IntegrityError:  # another was first, since the check above
        client.full_clean()
        raise
    audit(actor, "client.create", client=client, after=_facts(client))
    return client


@transaction.atomic
def update_client(actor: Actor, client: Client, changes: Mapping[str, Any]) -> Client:
    """Write ``changes`` to a client. Raises ValidationError or LifecycleError.

    The policy of the second person can be switched on here; off by :func:`relax_client` alone.
    """
    actor.require("tenants.change_client")
    locked = lock_client(client.pk)
    if locked.needs_second_person and changes.get("needs_second_person", True) is not True:
        raise LifecycleError(
            "That changes of this client's keys need a second person is switched off by itself "
            "(relax_client), which needs a second person too."
        )
    return _write(actor, locked, changes, verb="client.update")


@transaction.atomic
def relax_client(actor: Actor, client: Client, *, reason: str) -> Client:
    """Let one person alone change the client's keys again. Needs a reason.

    Raises LifecycleError or SecondPersonNeededError.
    """
    actor.require("tenants.change_client")
    reason = one_line(reason)
    if not reason:
        raise LifecycleError("Doing without a second person needs a reason.")
    locked = lock_client(client.pk)
    if not locked.needs_second_person:
        return locked
    second_person.require(actor, Intent("client.relax", locked.pk, arguments={"reason": reason}))
    off = {"needs_second_person": False}
    return _write(actor, locked, off, verb="client.relax", reason=reason)


def _write(
    actor: Actor, locked: Client, changes: Mapping[str, Any], *, verb: str, reason: str = ""
) -> Client:
    before, after = apply(locked, changes, _CHANGEABLE)
    if after:
        locked.full_clean()
        locked.save(update_fields=list(after))
        flows = Flow.objects.select_for_update(no_key=True).filter(client=locked).order_by("pk")
        flow_ids = list(flows.values_list("pk", flat=True))
        audit(actor, verb, client=locked, before=before, after=after, reason=reason)
        touch(*flow_ids)
    return locked


def _facts(client: Client) -> dict[str, Any]:
    return {name: getattr(client, name) for name in sorted(_CHANGEABLE)}
