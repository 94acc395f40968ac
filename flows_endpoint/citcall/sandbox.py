"""The sandbox: queues a missed call, lets it ring, and reports how it ended.

Calling numbers are drawn unpredictably. How a call goes is a simulation and repeatable: the
same seed, userid, number and count of calls to it give the same outcome.
"""

from __future__ import annotations

import hmac
import uuid
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.utils import timezone

from callbacks import outbox
from crypto_schemes.json_text import JSONValue
from crypto_schemes.scheme import read_json, write_json
from flows_endpoint import timers
from flows_endpoint.backends import Answer, Backend, Call
from flows_endpoint.citcall.errors import MEANINGS, Rc
from flows_endpoint.citcall.models import CalledNumber, CallState, MissedCall
from flows_endpoint.citcall.numbers import draw, new_trxid
from flows_endpoint.citcall.orders import Order, read_order
from flows_endpoint.models import Timer
from tenants import at_rest, digests
from tenants.keyring import FlowSnapshot

END_CALL: Final = "citcall.end_call"
CALL_ENDED: Final = "call.ended"
#: Seconds from the request to the end of a call: at least, and how many more.
_SHORTEST, _SPREAD = 4, 9


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended. The phone rang when the dial code is 180: the number was shown."""

    dial_code: int
    dial_status: str
    call_status: str

    @property
    def shown(self) -> bool:
        """Return whether the phone showed the number, which is all a missed call is for."""
        return self.dial_code == 180


#: Outcomes and how many calls in a hundred end so.
OUTCOMES: Final = (
    (80, Outcome(180, "Ringing", "No Answer")),
    (8, Outcome(180, "Ringing", "Answered")),
    (6, Outcome(486, "Busy Here", "Busy")),
    (4, Outcome(404, "Not Found", "Failed")),
    (2, Outcome(503, "Service Unavailable", "Failed")),
)


class CitCallSandbox(Backend):
    """Places calls that only exist in the database."""

    def handle(self, call: Call) -> Answer:
        """Queue the call and return the reply; its end and the callback come by timer."""
        order = read_order(call.payload)
        placed, details = _queue(call.flow, order)
        chance = _chance(call.flow.identity["userid"], order.msisdn, placed.ordinal)
        timers.schedule(
            call.flow.id,
            END_CALL,
            str(placed.id),
            placed.created_at + timers.sandbox_delay(_SHORTEST + chance[1] % _SPREAD),
        )
        reply: dict[str, JSONValue] = {"rc": Rc.SUCCESS.value, "info": MEANINGS[Rc.SUCCESS].info}
        if call.flow.options.reply_trxid:
            reply["trxid"] = placed.trxid
        return Answer(reply | details)


def end_call(timer: Timer) -> None:
    """Give the call its outcome and put the callback into the outbox."""
    call = (
        MissedCall.objects.select_for_update(of=("self",))
        .select_related("flow")
        .filter(pk=timer.subject, state=CallState.QUEUED)
        .first()
    )
    if call is None:
        return
    details = read_json(at_rest.open_sealed(call.details, call.at_rest_context))
    outcome = outcome_of(call.flow.identity["userid"], details["msisdn"], call.ordinal)
    call.state, call.ended_at = CallState.ENDED, timezone.now()
    call.dial_code, call.call_status = outcome.dial_code, outcome.call_status
    call.save(update_fields=["state", "ended_at", "dial_code", "call_status"])
    outbox.enqueue(
        str(call.flow_id), CALL_ENDED, callback(call.trxid, details, outcome), subject=str(call.id)
    )


def outcome_of(userid: str, msisdn: str, ordinal: int) -> Outcome:
    """Return how the ``ordinal``-th call of ``userid`` to ``msisdn`` ends."""
    place = int.from_bytes(_chance(userid, msisdn, ordinal)[2:6], "big") % 100
    for share, outcome in OUTCOMES:
        if place < share:
            return outcome
        place -= share
    raise AssertionError("the shares add up to a hundred")


def callback(trxid: str, details: dict[str, Any], outcome: Outcome) -> dict[str, JSONValue]:
    """Return the body of the callback, members in the contract's order."""
    body: dict[str, JSONValue] = {
        "rc": (Rc.SUCCESS if outcome.shown else Rc.FAILED).value,
        "trx_id": trxid,
        "msisdn": details["msisdn"],
        "via": "citcall",
        "token": details["token"],
        "dial_code": outcome.dial_code,
        "dial_status": outcome.dial_status,
        "call_status": outcome.call_status,
        "result": "Success" if outcome.shown else "Failed",
    }
    if "clientUniqueId" in details:
        body["clientUniqueId"] = details["clientUniqueId"]
    return body


def _queue(flow: FlowSnapshot, order: Order) -> tuple[MissedCall, dict[str, JSONValue]]:
    """Return a new call, with a number unlike the one before it, and what it is about."""
    digest = digests.lookup_digest("citcall", "msisdn", f"{flow.id}|{order.msisdn}")
    now = timezone.now()
    # Waits for whoever is calling the same number, until that transaction ends.
    CalledNumber.objects.bulk_create(
        [CalledNumber(digest=digest, flow_id=flow.id, last_call_at=now)],
        update_conflicts=True,
        unique_fields=["digest"],
        update_fields=["last_call_at"],
    )
    before = (
        MissedCall.objects.filter(flow_id=flow.id, number_digest=digest)
        .order_by("-ordinal")
        .first()
    )
    details: dict[str, JSONValue] = {
        "msisdn": order.msisdn,
        "token": draw(flow.options.number_pool, avoid=_token(before) if before else ""),
        "gateway": order.gateway,
    }
    if order.client_unique_id is not None:
        details["clientUniqueId"] = order.client_unique_id
    call = MissedCall(
        id=uuid.uuid4(),
        flow_id=flow.id,
        trxid=new_trxid(now),
        number_digest=digest,
        ordinal=before.ordinal + 1 if before else 1,
        created_at=now,
    )
    call.details = at_rest.seal(write_json(details), call.at_rest_context)
    call.save(force_insert=True)
    return call, details


def _token(call: MissedCall) -> str:
    return str(read_json(at_rest.open_sealed(call.details, call.at_rest_context))["token"])


def _chance(userid: str, msisdn: str, ordinal: int) -> bytes:
    """Return 32 bytes that decide one call's story."""
    message = f"citcall|{userid}|{msisdn}|{ordinal}".encode()
    return hmac.digest(settings.SANDBOX_SEED.encode(), message, "sha256")
