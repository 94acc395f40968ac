"""What operators do to deliveries: permission, change and audit entry in one place."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from callbacks import tasks
from callbacks.models import Delivery, DeliveryState
from tenants import audit_chain
from tenants.actors import Actor


@transaction.atomic
def retry_now(actor: Actor, delivery_ids: Iterable[UUID]) -> int:
    """Have deliveries tried at once, with the whole schedule before them; returns how many.

    Left alone are those that arrived and those a worker is trying at this moment. Raises
    NotAllowedError.
    """
    actor.require("callbacks.retry_delivery")
    now = timezone.now()
    is_idle = Q(leased_until__isnull=True) | Q(leased_until__lte=now)
    found = (
        Delivery.objects.select_for_update(of=("self",))
        .select_related("flow")
        .filter(is_idle, pk__in=list(delivery_ids))
        .exclude(state=DeliveryState.DELIVERED)
    )
    count = 0
    for delivery in found:
        before = {"state": str(delivery.state), "step": delivery.step}
        delivery.state, delivery.step, delivery.next_attempt_at = DeliveryState.PENDING, 0, now
        delivery.lease_token = delivery.leased_until = delivery.settled_at = None
        delivery.round_at = None
        delivery.save(
            update_fields=[
                "state",
                "step",
                "next_attempt_at",
                "lease_token",
                "leased_until",
                "settled_at",
                "round_at",
            ]
        )
        audit_chain.append(
            actor,
            "delivery.retry",
            flow=delivery.flow,
            before=before,
            after={"delivery": str(delivery.pk)},
        )
        count += 1
    if count:
        transaction.on_commit(tasks.ring)
    return count
