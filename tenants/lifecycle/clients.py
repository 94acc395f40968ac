"""The verbs on clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.db import IntegrityError, transaction

from tenants.actors import Actor
from tenants.lifecycle.base import apply, audit, lock_client, touch
from tenants.models import Client, Flow

_CHANGEABLE: Final = frozenset({"slug", "name", "contact_email", "notes", "is_enabled"})


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
    """Write ``changes`` to a client. Raises ValidationError or LifecycleError."""
    actor.require("tenants.change_client")
    locked = lock_client(client.pk)
    before, after = apply(locked, changes, _CHANGEABLE)
    if after:
        locked.full_clean()
        locked.save(update_fields=list(after))
        flows = Flow.objects.select_for_update(no_key=True).filter(client=locked).order_by("pk")
        flow_ids = list(flows.values_list("pk", flat=True))
        audit(actor, "client.update", client=locked, before=before, after=after)
        touch(*flow_ids)
    return locked


def _facts(client: Client) -> dict[str, Any]:
    return {name: getattr(client, name) for name in sorted(_CHANGEABLE)}
