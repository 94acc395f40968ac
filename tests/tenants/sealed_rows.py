"""One row for every sealed column there is, each holding its own secret."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Model
from django.utils import timezone

from callbacks.models import Attempt, Delivery, Endpoint
from console.models import SecondFactor
from flows_endpoint.citcall.models import FirstReply, MissedCall
from flows_endpoint.flynn.models import EwayBill, Invoice
from flows_endpoint.isu.models import Collection, Payout
from flows_endpoint.kairos.models import CallAttempt, CallRequest, OutboundCall
from flows_endpoint.whatsapp_flows.models import (
    Appointment,
    ErrorReport,
    FlowSession,
    MediaFile,
    StepReply,
    WebhookUpdate,
    WhatsappMessage,
)
from tenants import at_rest
from tenants.models import ApprovalRequest, Flow, InternalSecret, Key
from tenants.sealed_columns import SealedColumn, sealed_columns


def _call(flow: Flow) -> OutboundCall:
    now = timezone.now()
    request = CallRequest.objects.create(
        flow=flow, accepted_at=now, is_test=False, is_dialer=False, call_count=1
    )
    return OutboundCall(request=request, flow=flow, position=0, start_at=now)


def _attempt(flow: Flow) -> CallAttempt:
    call = _call(flow)
    call.seal({})
    call.save()
    return CallAttempt(call=call, number=1, started_at=timezone.now())


def _delivery(flow: Flow) -> Delivery:
    endpoint = Endpoint.objects.get_or_create(flow=flow)[0]
    return Delivery(flow=flow, endpoint=endpoint, event="test", next_attempt_at=timezone.now())


def _try(flow: Flow) -> Attempt:
    delivery = _delivery(flow)
    delivery.save()
    return Attempt(
        delivery=delivery, endpoint=delivery.endpoint, number=1, started_at=timezone.now()
    )


def _digest() -> str:
    return uuid.uuid4().hex * 2


#: How a row of each column is begun; what it holds is sealed by :func:`make`.
_BEGIN: dict[str, Callable[[Flow], Model]] = {
    "callbacks.attempt.answer": _try,
    "callbacks.delivery.body": _delivery,
    "citcall.firstreply.reply": lambda flow: FirstReply(
        flow=flow, digest=_digest(), created_at=timezone.now(), expires_at=timezone.now()
    ),
    "citcall.missedcall.details": lambda flow: MissedCall(
        flow=flow,
        trxid=uuid.uuid4().hex[:26],
        number_digest=_digest(),
        ordinal=1,
        created_at=timezone.now(),
    ),
    "console.secondfactor.sealed": lambda flow: SecondFactor(
        user=User.objects.create_user(uuid.uuid4().hex), name="authenticator"
    ),
    "flynn.ewaybill.record": lambda flow: EwayBill(
        flow=flow,
        number=100_000_000_000 + EwayBill.objects.count(),
        document_digest=_digest(),
        created_at=timezone.now(),
    ),
    "flynn.invoice.record": lambda flow: Invoice(
        flow=flow, irn_digest=_digest(), ack_no=1, created_at=timezone.now()
    ),
    "isu.collection.sealed": lambda flow: Collection(
        flow=flow, reference_digest=_digest(), created_at=timezone.now(), state="INITIATED"
    ),
    "isu.payout.sealed": lambda flow: Payout(
        flow=flow, reference_digest=_digest(), created_at=timezone.now(), state="INPROGRESS"
    ),
    "kairos.callattempt.sealed": _attempt,
    "kairos.outboundcall.sealed": _call,
    "tenants.approvalrequest.arguments": lambda flow: ApprovalRequest(
        verb="key.import",
        client=flow.client,
        flow=flow,
        reason="test",
        requested_by="tester",
        expires_at=timezone.now(),
    ),
    "tenants.internalsecret.sealed": lambda flow: InternalSecret(name=uuid.uuid4().hex),
    "tenants.key.material": lambda flow: Key(
        flow=flow, purpose="other", version=Key.objects.count() + 1, fingerprint=_digest()
    ),
    "whatsapp_flows.appointment.body": lambda flow: Appointment(flow=flow, slot_digest=_digest()),
    "whatsapp_flows.errorreport.body": lambda flow: ErrorReport(
        flow=flow, kind="other", received_at=timezone.now()
    ),
    "whatsapp_flows.flowsession.body": lambda flow: FlowSession(
        flow=flow, token_digest=_digest(), created_at=timezone.now()
    ),
    "whatsapp_flows.mediafile.body": lambda flow: MediaFile(
        flow=flow, ticket_digest=_digest(), request_id="test", expires_at=timezone.now()
    ),
    "whatsapp_flows.stepreply.reply": lambda flow: StepReply(
        flow=flow, name=_digest(), owner="test", expires_at=0.0
    ),
    "whatsapp_flows.webhookupdate.body": lambda flow: WebhookUpdate(
        flow=flow, digest=_digest(), kind="other", received_at=timezone.now()
    ),
    "whatsapp_flows.whatsappmessage.body": lambda flow: WhatsappMessage(
        flow=flow, kind="text", recipient_tail="1111", created_at=timezone.now()
    ),
}
LABELS = sorted(_BEGIN)


def make(flow: Flow, label: str, secret: bytes) -> Model:
    """Write a row that holds ``secret`` in the column ``label``."""
    column = column_of(label)
    row = _BEGIN[label](flow)
    setattr(row, column.field, at_rest.seal(secret, column.context(row)))
    row.save(force_insert=True)
    return row


def column_of(label: str) -> SealedColumn:
    """Return the column called ``label``."""
    return next(column for column in sealed_columns() if column.label == label)


def held(row: Model, label: str) -> tuple[int, bytes]:
    """Return the master key version and the secret that ``row`` holds in the database."""
    column = column_of(label)
    stored: Any = column.model._default_manager.get(pk=row.pk)
    blob = column.blob(stored)
    return at_rest.master_version(blob), at_rest.open_sealed(blob, column.context(stored))
