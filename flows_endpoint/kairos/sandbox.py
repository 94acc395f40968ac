"""The Kairos sandbox: takes calls, keeps them, and tells how they went."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flows_endpoint import rows, timers
from flows_endpoint.backends.base import Answer, Backend, Call
from flows_endpoint.exchange import Reason, Refusal
from flows_endpoint.kairos import running
from flows_endpoint.kairos.calls import PlannedCall
from flows_endpoint.kairos.errors import Code, head
from flows_endpoint.kairos.models import CallRequest, OutboundCall


class KairosSandbox(Backend):
    """Behaves like the vendor's service; see :mod:`flows_endpoint.kairos.running`."""

    def handle(self, call: Call) -> Answer:
        """Place calls or tell their status."""
        if call.operation == "outbound.pull":
            return _pull(call)
        if call.operation in ("outbound.create", "outbounddialer.create"):
            return _create(call)
        raise Refusal(Reason.INTERNAL, step=call.operation)


def _create(call: Call) -> Answer:
    accepted: tuple[PlannedCall, ...] = call.details["accepted"]
    now = datetime.fromtimestamp(call.received_at, UTC)
    request = CallRequest(
        flow_id=call.flow.id,
        accepted_at=now,
        is_test=call.details["is_test"],
        is_dialer=call.details["is_dialer"],
        call_count=len(accepted),
    )
    calls = [_row(request, position, planned) for position, planned in enumerate(accepted)]
    starts = [
        timers.planned(call.flow.id, running.START, str(row.pk), max(now, row.start_at))
        for row in calls
    ]
    rows.insert([request, *calls, *starts])
    code = Code.PARTIAL_SUCCESS if call.details["rejected"] else Code.SUCCESS
    return Answer(
        {
            **head(code),
            "request-id": str(request.pk),
            "call-details": [
                {"client-identifier": planned.client_identifier, "phonon-uuid": str(row.pk)}
                for planned, row in zip(accepted, calls, strict=True)
            ],
        }
    )


def _row(request: CallRequest, position: int, planned: PlannedCall) -> OutboundCall:
    row = OutboundCall(
        request_id=request.pk,
        flow_id=request.flow_id,
        position=position,
        start_at=planned.start_at.astimezone(UTC),
    )
    row.seal(
        {
            "client-identifier": planned.client_identifier,
            "start-time": planned.start_time,
            "contact-numbers": list(planned.numbers),
            "keys": list(planned.keys),
        }
    )
    return row


def _pull(call: Call) -> Answer:
    found = {
        row.pk: row
        for row in OutboundCall.objects.filter(
            flow_id=call.flow.id, pk__in=call.details["ids"]
        ).prefetch_related("attempts")
    }
    if not found:
        return Answer({**head(Code.NO_DATA_AVAILABLE), "data": []})
    data: list[dict[str, Any]] = [
        {
            "phonon-uuid": str(pk),
            "client-identifier": found[pk].details()["client-identifier"],
            "status": found[pk].status,
            "callDetails": running.report(found[pk], last_only=call.details["last_only"]),
        }
        for pk in call.details["ids"]
        if pk in found
    ]
    return Answer({**head(Code.SUCCESS), "data": data})
