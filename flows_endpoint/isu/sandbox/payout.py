"""Payout: money to a bank account by IMPS or NEFT.

IMPS mostly ends at once; NEFT, which banks settle in batches, always later. What is in progress
is asked for with the status check.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils import timezone

from crypto_schemes.json_text import JSONValue
from flows_endpoint import rows, timers
from flows_endpoint.backends import Call
from flows_endpoint.isu.models import Payout, PayoutState, reference_digest
from flows_endpoint.isu.products import PAYOUT, business_failure, echo
from flows_endpoint.isu.sandbox import fields, story
from flows_endpoint.isu.sandbox.story import Ending
from flows_endpoint.models import Timer
from tenants import keyring

SETTLE = "isu.settle_payout"
#: Rupees; what IMPS moves at most in one transaction.
MOST = 500_000

_REQUIRED = {
    "beneName": fields.text(100),
    "beneAccountNo": fields.matching(r"[0-9]{6,20}"),
    "beneifsc": fields.matching(r"[A-Z]{4}0[A-Z0-9]{6}"),
    "benePhoneNo": fields.digits(10),
    "beneBankName": fields.text(100),
    "clientReferenceNo": fields.matching(r"[A-Za-z0-9]{12,22}"),
    "fundTransferType": fields.one_of("IMPS", "NEFT"),
    "pincode": fields.digits(6),
    "custName": fields.text(100),
    "custMobNo": fields.digits(10),
    "latlong": fields.matching(r"-?[0-9]{1,3}(?:\.[0-9]{1,15})?, ?-?[0-9]{1,3}(?:\.[0-9]{1,15})?"),
}
_OPTIONAL = {"paramA": fields.optional_text(100), "paramB": fields.optional_text(100)}

_ODDS = {
    "IMPS": {Ending.SUCCEED: 80, Ending.SETTLE: 10, Ending.GIVE_UP: 4, Ending.FAIL: 6},
    "NEFT": {Ending.SETTLE: 92, Ending.GIVE_UP: 8},
}
_AT_ONCE = {Ending.SUCCEED: PayoutState.SUCCESS, Ending.FAIL: PayoutState.FAILED}
_SAID = {
    PayoutState.SUCCESS: (0, "Transaction successful"),
    PayoutState.INPROGRESS: (1, "Transaction in progress"),
    PayoutState.FAILED: (-2, "Transaction declined by the beneficiary bank"),
    PayoutState.REFUNDED: (2, "Transaction failed, amount refunded"),
}


def transfer(call: Call, payload: Mapping[str, JSONValue]) -> JSONValue:
    """Move the money once, or say why not. Raises FieldError."""
    fields.require(payload, _REQUIRED, _OPTIONAL)
    amount = fields.money(payload, "amount", MOST)
    reference = payload["clientReferenceNo"]
    ending = story.ending(amount, _ODDS[payload["fundTransferType"]], "payout", reference)
    now = keyring.utc(call.received_at)
    state = _AT_ONCE.get(ending, PayoutState.INPROGRESS)
    row = Payout(
        flow_id=call.flow.id,
        reference_digest=reference_digest(PAYOUT, call.flow.id, reference),
        created_at=now,
        ended_at=None if state is PayoutState.INPROGRESS else now,
        state=state,
    )
    details = {"sent": echo(payload), "ending": ending}
    row.put(details)
    said = answer(row, details)
    if not _kept(row, reference):
        return business_failure(PAYOUT, "Duplicate clientReferenceNo", payload)
    return said


def _kept(row: Payout, reference: str) -> bool:
    """Insert a new payout, with what ends it later; return False where the reference is known."""
    if row.state != PayoutState.INPROGRESS:
        return rows.insert_once(row)
    seconds = 15 + story.number(45, "payout wait", reference)
    due_at = timezone.now() + timers.sandbox_delay(seconds)
    return rows.insert_both(row, timers.planned(str(row.flow_id), SETTLE, str(row.id), due_at))


def answer(row: Payout, details: Mapping[str, Any]) -> dict[str, JSONValue]:
    """Return the payout as its partner sees it, now."""
    state = PayoutState(row.state)
    sub_status, text = _SAID[state]
    sent = details["sent"]
    booked = state in (PayoutState.SUCCESS, PayoutState.REFUNDED)
    return {
        "status": str(state),
        "subStatus": sub_status,
        "statusDesc": text,
        "rrn": story.digits(12, "payout rrn", str(row.id)) if booked else "",
        "transactionId": row.transaction_id,
        "clientReferenceNo": sent["clientReferenceNo"],
        **sent,
    }


@timers.handler(SETTLE)
def settle(timer: Timer) -> None:
    """End a payout that is in progress as its story says; one that ended stays as it is."""
    row = Payout.objects.select_for_update().get(pk=timer.subject)
    if row.state != PayoutState.INPROGRESS:
        return
    given_up = row.details()["ending"] == Ending.GIVE_UP
    row.state = PayoutState.REFUNDED if given_up else PayoutState.SUCCESS
    row.ended_at = timezone.now()
    row.save(update_fields=["state", "ended_at"])
