"""Stop an endpoint, have it go on, set it up, and try whether its receiver listens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.db import transaction
from django.utils import timezone

from callbacks import outbox, tasks
from callbacks.breaker import Breaker
from callbacks.channels import CALLBACK
from callbacks.health import HEALTH
from callbacks.models import BreakerState, Delivery, Endpoint, EndpointState
from tenants import audit_chain
from tenants.actors import Actor
from tenants.lifecycle.base import LifecycleError, apply, one_line

PERMISSION: Final = "callbacks.operate_endpoint"
#: Event of a delivery that tells the receiver nothing but that it is reached.
TEST_EVENT: Final = "endpoint.test"
#: What :func:`set_up` takes.
CHANGEABLE: Final = frozenset(
    {"auth", "auth_name", "rate_per_second", "burst", "concurrency", "is_fifo", "schedule"}
)


@transaction.atomic
def pause(actor: Actor, endpoint_id: int, *, reason: str = "") -> Endpoint:
    """Have nothing sent until it is resumed; deliveries wait and use up no tries.

    Needs a reason: whoever finds it paused reads it. Calls under way end as they end. Raises
    NotAllowedError and LifecycleError.
    """
    endpoint = _lock(actor, endpoint_id)
    if endpoint.state != EndpointState.ACTIVE:
        raise LifecycleError(f"The endpoint is {endpoint.state} already; nothing is sent.")
    if not one_line(reason):
        raise LifecycleError("Pausing needs a reason; it stands here and in the audit trail.")
    _move(actor, "endpoint.pause", endpoint, EndpointState.PAUSED, reason)
    return endpoint


@transaction.atomic
def resume(actor: Actor, endpoint_id: int, *, reason: str = "") -> Endpoint:
    """Have a paused endpoint go on; what is due goes at once. Raises as :func:`pause` does."""
    endpoint = _lock(actor, endpoint_id)
    if endpoint.state != EndpointState.PAUSED:
        raise LifecycleError(
            "The endpoint is not paused."
            if endpoint.state == EndpointState.ACTIVE
            else "The endpoint is disabled. Enable it once its receiver is mended."
        )
    _move(actor, "endpoint.resume", endpoint, EndpointState.ACTIVE, reason)
    transaction.on_commit(tasks.ring)
    return endpoint


@transaction.atomic
def enable(actor: Actor, endpoint_id: int, *, reason: str = "") -> Endpoint:
    """Have a disabled endpoint, or one whose breaker is open, begin anew.

    The circuit breaker is closed, and its failures are forgotten. Raises as :func:`pause` does.
    """
    endpoint = _lock(actor, endpoint_id)
    is_well = endpoint.breaker == BreakerState.CLOSED
    if endpoint.state == EndpointState.PAUSED:
        raise LifecycleError("The endpoint is paused. Resume it.")
    if endpoint.state == EndpointState.ACTIVE and is_well:
        raise LifecycleError("The endpoint is active, and its circuit breaker is closed.")
    closed = Breaker()
    endpoint.breaker, endpoint.failures = closed.state, closed.failures
    endpoint.opened_at, endpoint.times_opened = closed.opened_at, closed.times_opened
    endpoint.ready_at = timezone.now()
    endpoint.failing_since = endpoint.last_failure_at = None
    endpoint.warned_days = 0
    _move(actor, "endpoint.enable", endpoint, EndpointState.ACTIVE, reason)
    transaction.on_commit(tasks.ring)
    return endpoint


@transaction.atomic
def set_up(actor: Actor, endpoint_id: int, changes: Mapping[str, Any]) -> Endpoint:
    """Write ``changes`` (:data:`CHANGEABLE`). Raises ValidationError beside the others."""
    endpoint = _lock(actor, endpoint_id)
    before, after = apply(endpoint, changes, CHANGEABLE)
    if after:
        endpoint.clean_fields(
            exclude=[item.name for item in Endpoint._meta.fields if item.name not in after]
        )
        endpoint.validate_constraints(exclude=["flow"])
        endpoint.save(update_fields=list(after))
        which = {"endpoint": endpoint.channel}
        audit_chain.append(
            actor,
            "endpoint.update",
            flow=endpoint.flow,
            before=which | before,
            after=which | after,
        )
        transaction.on_commit(tasks.ring)  # a higher limit lets more through now
    return endpoint


@transaction.atomic
def send_test(actor: Actor, endpoint_id: int) -> Delivery:
    """Write a delivery of :data:`TEST_EVENT`, sealed and signed as every other.

    Raises NotAllowedError, and LifecycleError where it could not go out.
    """
    actor.require(PERMISSION)
    endpoint = Endpoint.objects.select_related("flow").filter(pk=endpoint_id).first()
    if endpoint is None:
        raise LifecycleError("There is no such endpoint.")
    if endpoint.channel != CALLBACK:
        raise LifecycleError(f"A test event cannot be sent over {endpoint.channel}.")
    if endpoint.state != EndpointState.ACTIVE:
        raise LifecycleError(f"The endpoint is {endpoint.state}: nothing is sent.")
    payload = {"event": TEST_EVENT, "sent_at": timezone.now().isoformat(timespec="seconds")}
    delivery = outbox.enqueue(str(endpoint.flow_id), TEST_EVENT, payload)
    if delivery is None:
        raise LifecycleError("The flow has no callback URL. Set one first.")
    audit_chain.append(
        actor,
        "endpoint.test",
        flow=endpoint.flow,
        after={"endpoint": endpoint.channel, "delivery": str(delivery.pk)},
    )
    return delivery


def _lock(actor: Actor, endpoint_id: int) -> Endpoint:
    actor.require(PERMISSION)
    rows = Endpoint.objects.select_for_update(no_key=True, of=("self",)).select_related("flow")
    endpoint = rows.filter(pk=endpoint_id).first()
    if endpoint is None:
        raise LifecycleError("There is no such endpoint.")
    return endpoint


def _move(actor: Actor, verb: str, endpoint: Endpoint, state: EndpointState, reason: str) -> None:
    before = {"endpoint": endpoint.channel, "state": str(endpoint.state)}
    reason = one_line(reason)
    if endpoint.state != state:
        endpoint.state_at = timezone.now()
    endpoint.state = state
    endpoint.state_reason = "" if state == EndpointState.ACTIVE else reason
    endpoint.save(update_fields=HEALTH)
    audit_chain.append(
        actor,
        verb,
        flow=endpoint.flow,
        before=before,
        after={"endpoint": endpoint.channel, "state": str(state)},
        reason=reason,
    )
