"""Make an e-way bill, for a document of its own or for an invoice."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass, field
from typing import Final

from django.db import IntegrityError, transaction

from crypto_schemes.json_text import JSONValue
from flows_endpoint.backends import Call
from flows_endpoint.exchange import Reason, Refusal
from flows_endpoint.flynn.models import EwayBill, Invoice, Status
from flows_endpoint.flynn.sandbox.calendar import valid_until
from flows_endpoint.flynn.sandbox.records import document_digest, seal_into
from flows_endpoint.flynn.sandbox.transport import PartB
from tenants.keyring import utc

#: How often a number is drawn again that is taken already.
_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Document:
    """What there may be one active e-way bill for: sender, type, number, financial year."""

    sender: str = field(repr=False)
    type: str = field(repr=False)
    number: str = field(repr=False)
    year: str = field(repr=False)


def issue(
    call: Call,
    document: Document,
    goods: dict[str, JSONValue],
    *,
    distance: int,
    transporter: str,
    part_b: PartB | None,
    invoice: Invoice | None = None,
) -> EwayBill | None:
    """Return a new e-way bill, or None when the document has an active one already.

    ``goods`` is what GetEwayBill will show again. The validity begins with Part B.
    """
    moment = utc(call.received_at)
    digest = document_digest(
        call.flow.id, document.sender, document.type, document.number, document.year
    )
    for _ in range(_TRIES):
        bill = EwayBill(
            id=uuid.uuid4(),
            flow_id=call.flow.id,
            number=100_000_000_000 + secrets.randbelow(900_000_000_000),
            document_digest=digest,
            invoice=invoice,
            created_at=moment,
        )
        if part_b is not None:
            bill.valid_until = valid_until(moment, distance, oversize=part_b.oversize)
        record = {
            "goods": goods,
            "distance": distance,
            "transporter": transporter,
            "oversize": part_b.oversize if part_b else False,
            "vehicles": [part_b.entry(moment, "", 0)] if part_b else [],
        }
        seal_into(bill, record)
        try:
            with transaction.atomic():
                bill.save(force_insert=True)
        except IntegrityError:
            taken = EwayBill.objects.filter(
                flow_id=call.flow.id, document_digest=digest, status=Status.ACTIVE
            )
            if taken.exists():
                return None
            continue
        return bill
    raise Refusal(Reason.UNAVAILABLE, step="e-way bill numbers")
