"""Status check: what became of payouts, by day, reference or transaction id."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, time, timedelta

from crypto_schemes.json_text import JSONValue
from flows_endpoint.backends import Call
from flows_endpoint.isu.models import Payout, reference_digest
from flows_endpoint.isu.products import PAYOUT
from flows_endpoint.isu.sandbox import clock, fields, payout
from flows_endpoint.isu.sandbox.fields import FieldError

#: Rows of one answer at most, the newest first.
MOST_ROWS = 200

_REQUIRED = {"$1": fields.one_of("Cashout_addbank_status")}
_OPTIONAL = {"$6": fields.optional_text(64), "$10": fields.optional_text(64)}


def check_status(call: Call, payload: Mapping[str, JSONValue]) -> JSONValue:
    """Return the payouts of the days ``$4`` to ``$5`` (India's), narrowed by ``$6`` and ``$10``.

    Raises FieldError.
    """
    fields.require(payload, _REQUIRED, _OPTIONAL)
    first, last = fields.day(payload, "$4"), fields.day(payload, "$5")
    if last < first:
        raise FieldError("Invalid $5")
    rows = Payout.objects.filter(
        flow_id=call.flow.id,
        created_at__gte=datetime.combine(first, time(), clock.INDIA),
        created_at__lt=datetime.combine(last + timedelta(days=1), time(), clock.INDIA),
    )
    if payload.get("$6"):
        digest = reference_digest(PAYOUT, call.flow.id, payload["$6"])
        rows = rows.filter(reference_digest=digest)
    if payload.get("$10"):
        try:
            rows = rows.filter(pk=uuid.UUID(hex=payload["$10"]))
        except ValueError:
            rows = rows.none()
    results = [_result(row) for row in rows.order_by("-created_at", "pk")[:MOST_ROWS]]
    return {"status": 200, "message": "Success", "length": len(results), "results": results}


def _result(row: Payout) -> dict[str, JSONValue]:
    return payout.answer(row, row.details()) | {"dateTime": clock.written(row.created_at)}
