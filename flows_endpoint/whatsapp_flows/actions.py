"""What operators do about WhatsApp: permission, change and audit entry in one place.

The admin and the command call these. What the platform is asked for happens before the
transaction that writes it down.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.utils import timezone

from crypto_schemes.json_text import JSONValue
from flows_endpoint.whatsapp_flows import messages, public_keys
from flows_endpoint.whatsapp_flows.cloud import client
from flows_endpoint.whatsapp_flows.cloud.accounts import NotConfiguredError, account_of
from flows_endpoint.whatsapp_flows.cloud.bodies import MessageError
from flows_endpoint.whatsapp_flows.cloud.client import CloudApiError
from flows_endpoint.whatsapp_flows.cloud.recipients import RecipientError
from flows_endpoint.whatsapp_flows.messages import Started
from flows_endpoint.whatsapp_flows.models import FlowAlert, KeyVerdict, PhoneKey
from tenants import audit_chain
from tenants.actors import Actor
from tenants.keyring import FlowSnapshot, keyring
from tenants.lifecycle import LifecycleError
from tenants.models import Flow, Key


def upload_public_key(actor: Actor, flow: Flow, key: Key | None = None) -> PhoneKey:
    """Make a version's public half the one the platform hands to phones; the active one's if None.

    It is read back and compared at once. Raises NotAllowedError, and LifecycleError for a version
    that will not go on opening and for what the platform refuses.
    """
    actor.require("whatsapp_flows.upload_phonekey")
    snapshot = _snapshot(flow)
    if key is None:
        key = flow.keys.filter(purpose=public_keys.PURPOSE, state="active").first()
        if key is None:
            raise LifecycleError("The flow has no active encryption key. Generate one.")
    if key.flow_id != flow.pk or key.purpose != public_keys.PURPOSE:
        raise LifecycleError("This is no encryption key of the flow.")
    if key.state not in public_keys.UPLOADABLE:
        raise LifecycleError(
            f"{key.title} is {key.state}: phones would seal for a key that soon opens nothing. "
            "Upload the active version, or a staged one before it is promoted."
        )
    with _refusals():
        account = account_of(snapshot)
        client.upload_public_key(account, key.public_pem)
    with transaction.atomic():
        PhoneKey.objects.update_or_create(
            flow=flow,
            defaults={
                "phone_number_id": account.phone_number_id,
                "uploaded_at": timezone.now(),
                "uploaded": key,
            },
            create_defaults={
                "phone_number_id": account.phone_number_id,
                "uploaded_at": timezone.now(),
                "uploaded": key,
                "verdict": KeyVerdict.UNKNOWN,
            },
        )
        audit_chain.append(
            actor,
            "whatsapp.upload_key",
            key=key,
            after={"version": key.version, "phone_number_id": account.phone_number_id},
        )
    return public_keys.look(snapshot)


def check_public_key(actor: Actor, flow: Flow) -> PhoneKey:
    """Read the public key back now. Raises NotAllowedError and LifecycleError."""
    actor.require("whatsapp_flows.view_phonekey")
    with _refusals():
        return public_keys.look(_snapshot(flow))


def send_flow(actor: Actor, flow: Flow, to: str, *, data: JSONValue = None) -> Started:
    """Send a message that opens the form of ``flow``. Raises NotAllowedError and LifecycleError."""
    actor.require("whatsapp_flows.send_whatsappmessage")
    snapshot = _snapshot(flow)
    with _refusals(), transaction.atomic():
        started = messages.send_flow(snapshot, to, data=data)
        audit_chain.append(
            actor,
            "whatsapp.send_flow",
            flow=flow,
            after={
                "message": str(started.message.pk),
                "recipient": f"…{started.message.recipient_tail}",
            },
        )
    return started


@transaction.atomic
def close_alert(actor: Actor, alert: FlowAlert) -> FlowAlert:
    """Set an alert aside. One that is over already stays as it is. Raises NotAllowedError."""
    actor.require("whatsapp_flows.close_flowalert")
    alert = (
        FlowAlert.objects.select_for_update(of=("self",)).select_related("flow").get(pk=alert.pk)
    )
    if alert.closed_at is None:
        alert.closed_at, alert.closed_by = timezone.now(), actor.name[:150]
        alert.save(update_fields=["closed_at", "closed_by"])
        audit_chain.append(
            actor,
            "whatsapp.close_alert",
            flow=alert.flow,
            after={"alert": str(alert.pk), "event": alert.event},
        )
    return alert


def _snapshot(flow: Flow) -> FlowSnapshot:
    snapshot = keyring.by_flow_id(str(flow.pk))
    if snapshot is None:
        raise LifecycleError("The flow or its client is disabled. Enable it first.")
    if snapshot.scheme_name != "whatsapp_flows":
        raise LifecycleError("This is no WhatsApp flow.")
    return snapshot


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn what a call refuses into LifecycleError."""
    try:
        yield
    except (CloudApiError, NotConfiguredError, MessageError, RecipientError) as error:
        raise LifecycleError(str(error)) from None
