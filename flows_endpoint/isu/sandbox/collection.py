"""Dynamic UPI: a QR picture or link for one amount, and the callback once somebody paid."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

import segno
from django.utils import timezone

from callbacks import outbox
from crypto_schemes import base64_text
from crypto_schemes.json_text import JSONValue
from flows_endpoint import rows, timers
from flows_endpoint.backends import Call
from flows_endpoint.isu.models import Collection, CollectionState, reference_digest
from flows_endpoint.isu.products import DYNAMIC_UPI, business_failure
from flows_endpoint.isu.sandbox import clock, fields, story
from flows_endpoint.isu.sandbox.story import Ending
from flows_endpoint.models import Timer
from tenants import keyring

SETTLE = "isu.settle_collection"
EVENT = "dynamic_upi.ended"
#: Rupees.
MOST = 100_000

_REQUIRED = {
    "payeeVPA": fields.matching(r"[A-Za-z0-9._-]{2,64}@[A-Za-z][A-Za-z0-9.-]{1,63}"),
    "paymentMode": fields.one_of("QR", "INTENT"),
    "channelId": fields.text(32),
    "txnNote": fields.optional_text(80),
    "clientRefId": fields.matching(r"[A-Za-z0-9]{10,19}"),
    "merchantType": fields.text(32),
    "expiryTime": fields.matching(r"[1-9]|[12][0-9]|30"),
    "mobilenumber": fields.matching(r"[0-9]{10}"),
}
_KEPT = (*_REQUIRED, "txnAmount", "parama", "paramb", "paramc")
_OPTIONAL = {name: fields.optional_text(100) for name in ("parama", "paramb", "paramc")}
_ODDS = {Ending.SETTLE: 90, Ending.FAIL: 6, Ending.GIVE_UP: 4}

_STATE_OF = {
    Ending.SUCCEED: CollectionState.SUCCESS,
    Ending.SETTLE: CollectionState.SUCCESS,
    Ending.FAIL: CollectionState.FAILED,
    Ending.GIVE_UP: CollectionState.EXPIRED,
}
_SAID = {
    CollectionState.SUCCESS: ("SUCCESS", 0, "Transaction successful"),
    CollectionState.FAILED: ("FAILED", -1, "Transaction declined by the payer's bank"),
    CollectionState.EXPIRED: ("FAILED", -1, "Transaction expired"),
}


def initiate(call: Call, payload: Mapping[str, JSONValue]) -> JSONValue:
    """Open a collection and have it end later. Raises FieldError."""
    fields.require(payload, _REQUIRED, _OPTIONAL)
    amount = fields.money(payload, "txnAmount", MOST, text_only=True)
    reference = payload["clientRefId"]
    ending = story.ending(amount, _ODDS, "upi", reference)
    sent = {name: payload[name] for name in _KEPT if payload.get(name) is not None}
    row = Collection(
        flow_id=call.flow.id,
        reference_digest=reference_digest(DYNAMIC_UPI, call.flow.id, reference),
        created_at=keyring.utc(call.received_at),
        state=CollectionState.INITIATED,
    )
    row.put({"sent": sent, "ending": ending})
    said = answer(row, payload)
    delay = _delay(ending, reference, minutes=int(payload["expiryTime"]))
    ends = timers.planned(call.flow.id, SETTLE, str(row.id), timezone.now() + delay)
    if not rows.insert_both(row, ends):
        return business_failure(DYNAMIC_UPI, "Duplicate clientRefId", payload)
    return said


def answer(row: Collection, payload: Mapping[str, JSONValue]) -> dict[str, JSONValue]:
    """Return the reply to the request that opened ``row``: what the payer is to be shown."""
    amount = fields.money(payload, "txnAmount", MOST, text_only=True)
    link = upi_link(payload["payeeVPA"], f"{amount}", payload["txnNote"], row.transaction_id)
    return {
        "amount": payload["txnAmount"],
        "clientRefId": payload["clientRefId"],
        "intentData": link,
        "payeeVPA": payload["payeeVPA"],
        "payerVPA": "",
        "paymentState": "INITIATED",
        "qrData": qr_picture(link) if payload["paymentMode"] == "QR" else "",
        "status": "SUCCESS",
        "statusCode": 0,
        "statusDesc": "Transaction initiated",
        "txnId": row.transaction_id,
    }


def upi_link(payee: str, amount: str, note: str, transaction_id: str) -> str:
    """Return the ``upi://pay`` address a payer's app opens (NPCI UPI linking specification)."""
    return "upi://pay?" + urlencode(
        {
            "pa": payee,
            "pn": "Sealgate Sandbox",
            "tr": transaction_id,
            "tn": note,
            "am": amount,
            "cu": "INR",
        },
        quote_via=quote,
        safe="@",
    )


def qr_picture(link: str) -> str:
    """Return a PNG of the QR code of ``link``, base64."""
    picture = io.BytesIO()
    segno.make(link, error="m", micro=False).save(picture, kind="png", scale=5, border=4)
    return base64_text.encode(picture.getvalue())


@timers.handler(SETTLE)
def settle(timer: Timer) -> None:
    """End a collection as its story says, and tell the partner; once."""
    row = Collection.objects.select_for_update().get(pk=timer.subject)
    if row.state != CollectionState.INITIATED:
        return
    details = row.details()
    row.state = _STATE_OF[Ending(details["ending"])]
    row.ended_at = timezone.now()
    row.save(update_fields=["state", "ended_at"])
    outbox.enqueue(str(row.flow_id), EVENT, callback_body(row, details), subject=row.transaction_id)


def callback_body(row: Collection, details: Mapping[str, Any]) -> dict[str, JSONValue]:
    """Return the callback of an ended collection, before sealing."""
    sent = details["sent"]
    state = CollectionState(row.state)
    status, code, text = _SAID[state]
    payer = story.digits(4, "payer", str(row.id))
    tried = state is not CollectionState.EXPIRED
    return {
        "txnAmt": sent["txnAmount"],
        "transaction_note": sent["txnNote"],
        "txnId": row.transaction_id,
        "paymentMode": sent["paymentMode"],
        "status": status,
        "statusCode": code,
        "statusDesc": text,
        "transaction_date": clock.written(row.ended_at or row.created_at),
        "payer_vpa": f"payer{payer}@sandbox" if tried else "",
        "payee_vpa": sent["payeeVPA"],
        "customerName": f"SANDBOX PAYER {payer}" if tried else "",
        "rrn": story.digits(12, "upi rrn", str(row.id)) if tried else "",
        "clientRefId": sent["clientRefId"],
        "parama": sent.get("parama", ""),
        "paramb": sent.get("paramb", ""),
        "paramc": sent.get("paramc", ""),
    }


def _delay(ending: Ending, reference: str, *, minutes: int) -> timedelta:
    """Return how long the payer takes: some seconds, or the whole expiry time."""
    if ending is Ending.GIVE_UP:
        return timers.sandbox_delay(60 * minutes)
    if ending is Ending.SUCCEED:
        return timers.sandbox_delay(1)
    return timers.sandbox_delay(5 + story.number(25, "upi wait", reference))
