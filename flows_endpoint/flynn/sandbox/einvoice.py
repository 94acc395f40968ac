"""The e-invoice portal: gives invoices their IRN, shows them, cancels them."""

from __future__ import annotations

import secrets
import uuid
from typing import Any, Final

from django.db import IntegrityError, transaction

from crypto_schemes.flynn import documents
from crypto_schemes.json_text import JSONValue
from flows_endpoint.backends import Call
from flows_endpoint.flynn.errors import irp_refused
from flows_endpoint.flynn.fields import Fields
from flows_endpoint.flynn.models import EwayBill, Invoice, Status
from flows_endpoint.flynn.sandbox import eway_issue
from flows_endpoint.flynn.sandbox.calendar import CANCELLABLE, irp_time
from flows_endpoint.flynn.sandbox.invoice_form import InvoiceForm, qr_content, read_invoice
from flows_endpoint.flynn.sandbox.records import irn_digest, record_of, seal_into
from flows_endpoint.flynn.sandbox.transport import IRP_NAMES, entered_part_b, read_distance
from tenants.keyring import utc

#: Who signs; the real portal has another name.
ISSUER: Final = "Sealgate sandbox"
_IRN: Final = r"[0-9A-Fa-f]{64}"


def generate(call: Call, user_gstin: str) -> JSONValue:
    """Register the invoice in the body and return its IRN with the signed documents.

    Where the body has ``EwbDtls``, an e-way bill is made along with it.
    """
    moment = utc(call.received_at)
    body = call.payload["body"]
    form = read_invoice(body, user_gstin, moment)
    irn = form.irn
    invoice = Invoice(
        id=uuid.uuid4(),
        flow_id=call.flow.id,
        irn_digest=irn_digest(call.flow.id, irn),
        ack_no=100_000_000_000_000 + secrets.randbelow(900_000_000_000_000),
        created_at=moment,
    )
    written = irp_time(moment)
    head: dict[str, JSONValue] = {"AckNo": invoice.ack_no, "AckDt": written, "Irn": irn}
    credentials = call.flow.credentials(call.received_at)
    qr = qr_content(form, irn, written)
    reply = {
        **head,
        # The head stands first and has the last word: members of the body with its names
        # would have us sign numbers that we never gave.
        "SignedInvoice": documents.sign({**head, **body, **head}, ISSUER, credentials),
        "SignedQRCode": documents.sign(qr, ISSUER, credentials),
    }
    seal_into(invoice, {"reply": reply, "form": _kept(form)})
    try:
        with transaction.atomic():
            invoice.save(force_insert=True)
    except IntegrityError:
        raise irp_refused("2150") from None
    answer = {**reply, "Status": Status.ACTIVE.value}
    if body.get("EwbDtls") is not None:
        fields = Fields(body["EwbDtls"], "body.EwbDtls")
        answer |= _eway_bill(call, invoice, record_of(invoice), fields)
    return answer


def get(call: Call) -> JSONValue:
    """Return the invoice with the IRN of the address, and its active e-way bill."""
    invoice = _find(call, call.details["route"]["irn"])
    bill = EwayBill.objects.filter(invoice=invoice, status=Status.ACTIVE).first()
    return {
        **record_of(invoice)["reply"],
        "Status": invoice.status,
        "EwbNo": bill.number if bill else None,
        "EwbDt": irp_time(bill.created_at) if bill else None,
        "EwbValidTill": irp_time(bill.valid_until) if bill and bill.valid_until else None,
    }


def cancel(call: Call) -> JSONValue:
    """Cancel an invoice within 24 hours, unless an active e-way bill stands on it."""
    fields = Fields(call.payload["body"])
    irn = fields.matching("Irn", _IRN)
    reason = int(fields.choice("CnlRsn", "1", "2", "3", "4"))
    fields.optional_text("CnlRem", 100)
    invoice = _find(call, irn, lock=True)
    moment = utc(call.received_at)
    if invoice.status == Status.CANCELLED:
        raise irp_refused("9999")
    if moment - invoice.created_at > CANCELLABLE:
        raise irp_refused("2270")
    if EwayBill.objects.filter(invoice=invoice, status=Status.ACTIVE).exists():
        raise irp_refused("2230")
    invoice.status, invoice.cancelled_at = Status.CANCELLED, moment
    invoice.cancel_reason = reason
    invoice.save(update_fields=["status", "cancelled_at", "cancel_reason"])
    return {"Irn": irn.lower(), "CancelDate": irp_time(moment)}


def eway_bill(call: Call) -> JSONValue:
    """Make the e-way bill of an invoice."""
    fields = Fields(call.payload["body"])
    invoice = _find(call, fields.matching("Irn", _IRN), lock=True)
    if invoice.status == Status.CANCELLED:
        raise irp_refused("9999")
    return _eway_bill(call, invoice, record_of(invoice), fields)


def _eway_bill(
    call: Call, invoice: Invoice, record: dict[str, Any], fields: Fields
) -> dict[str, JSONValue]:
    form = record["form"]
    bill = eway_issue.issue(
        call,
        eway_issue.Document(form["supplier"], form["type"], form["no"], form["year"]),
        {
            "supplyType": "O",
            "docType": form["type"],
            "docNo": form["no"],
            "docDate": form["day"],
            "fromGstin": form["supplier"],
            "fromPincode": form["from_pin"],
            "toGstin": form["buyer"],
            "toPincode": form["to_pin"],
            "totInvValue": form["total"],
        },
        distance=read_distance(fields, "Distance", form["from_pin"], form["to_pin"]),
        transporter=fields.optional_text("TransId", 15),
        part_b=entered_part_b(fields, IRP_NAMES),
        invoice=invoice,
    )
    if bill is None:
        raise irp_refused("4002")
    return {
        "EwbNo": bill.number,
        "EwbDt": irp_time(bill.created_at),
        "EwbValidTill": irp_time(bill.valid_until) if bill.valid_until else None,
        "Remarks": None,
    }


def _find(call: Call, irn: str, *, lock: bool = False) -> Invoice:
    """Return the flow's invoice. Raises Refusal."""
    rows = Invoice.objects.select_for_update() if lock else Invoice.objects
    invoice = rows.filter(flow_id=call.flow.id, irn_digest=irn_digest(call.flow.id, irn)).first()
    if invoice is None:
        raise irp_refused("2148")
    return invoice


def _kept(form: InvoiceForm) -> dict[str, JSONValue]:
    """Return what an e-way bill takes over from the invoice."""
    return {
        "supplier": form.supplier,
        "buyer": form.buyer,
        "type": form.document_type,
        "no": form.document_no,
        "day": f"{form.document_day:%d/%m/%Y}",
        "year": form.year,
        "total": form.total,
        "from_pin": form.from_pin,
        "to_pin": form.to_pin,
    }
