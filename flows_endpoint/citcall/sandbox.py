"""The sandbox: queues a missed call, lets it ring, and reports how it ended.

Calling numbers are drawn unpredictably. How a call goes is a simulation and repeatable: the
same seed, userid, number and count of calls to it give the same outcome. Some numbers always end
the same way, to try each ending out.
"""

from __future__ import annotations

import hmac
import uuid
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from callbacks import outbox
from crypto_schemes.json_text import JSONValue
from crypto_schemes.scheme import read_json, write_json
from flows_endpoint import rows, timers
from flows_endpoint.backends import Answer, Backend, Call
from flows_endpoint.citcall.errors import MEANINGS, Rc
from flows_endpoint.citcall.models import CalledNumber, CallState, MissedCall
from flows_endpoint.citcall.numbers import draw, new_trxid
from flows_endpoint.citcall.orders import Order, read_order
from flows_endpoint.models import Timer
from tenants import at_rest, digests, sql
from tenants.keyring import FlowSnapshot

END_CALL: Final = "citcall.end_call"
CALL_ENDED: Final = "call.ended"
#: Locks the number, whether it was called before or not: calls to it are written in turn.
_LOCK: Final = f"""
    INSERT INTO {CalledNumber._meta.db_table} (digest, flow_id, last_call_at) VALUES (%s, %s, %s)
    ON CONFLICT (digest) DO UPDATE SET last_call_at = excluded.last_call_at
"""  # noqa: S608 - the only interpolation is our own table name
_BEFORE: Final = f"""
    SELECT id, ordinal, details FROM {MissedCall._meta.db_table}
    WHERE flow_id = %s AND number_digest = %s ORDER BY ordinal DESC LIMIT 1
"""  # noqa: S608
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
#: What the last four digits of a number say of how calls to it end.
TRIAL_ENDINGS: Final = {
    "0180": OUTCOMES[0][1],
    "0200": OUTCOMES[1][1],
    "0486": OUTCOMES[2][1],
    "0404": OUTCOMES[3][1],
    "0503": OUTCOMES[4][1],
}


class CitCallSandbox(Backend):
    """Places calls that only exist in the database."""

    def handle(self, call: Call) -> Answer:
        """Queue the call and return the reply; its end and the callback come by timer."""
        order = read_order(call.payload)
        placed, details = _placed(call.flow, order)
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
    if trial := TRIAL_ENDINGS.get(msisdn[-4:]):
        return trial
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


def _placed(flow: FlowSnapshot, order: Order) -> tuple[MissedCall, dict[str, JSONValue]]:
    """Write a new call and the timer that ends it; return the call and what it is about."""
    placed = _try_to_place(flow, order)
    if placed is None:
        # Somebody else called the number meanwhile. In a transaction a try that fails leaves the
        # number locked, so that the one after it succeeds.
        with transaction.atomic():
            while placed is None:
                placed = _try_to_place(flow, order)
    return placed


def _try_to_place(
    flow: FlowSnapshot, order: Order
) -> tuple[MissedCall, dict[str, JSONValue]] | None:
    """Do what :func:`_placed` does, or nothing where another call comes after the same one."""
    placed, details = _planned(flow, order)
    chance = _chance(flow.identity["userid"], order.msisdn, placed.ordinal)
    ends_at = placed.created_at + timers.sandbox_delay(_SHORTEST + chance[1] % _SPREAD)
    stands = rows.insert_in_turn(
        _LOCK,
        [
            placed.number_digest,
            sql.uuid_digits(flow.id),
            connection.ops.adapt_datetimefield_value(placed.created_at),
        ],
        placed,
        timers.planned(flow.id, END_CALL, str(placed.id), ends_at),
        unless="flow_id, number_digest, ordinal",
    )
    return (placed, details) if stands else None


def _planned(flow: FlowSnapshot, order: Order) -> tuple[MissedCall, dict[str, JSONValue]]:
    """Return a new call, with a number unlike the one before it, and what it is about."""
    digest = digests.lookup_digest("citcall", "msisdn", f"{flow.id}|{order.msisdn}")
    now = timezone.now()
    before = _call_before(flow.id, digest)
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
    return call, details


def _call_before(flow_id: str, digest: str) -> MissedCall | None:
    """Return the last call to the number."""
    found = sql.run(_BEFORE, [sql.uuid_digits(flow_id), digest]).rows
    if not found:
        return None
    key, ordinal, details = found[0]
    return MissedCall(id=sql.uuid_of(key), flow_id=flow_id, ordinal=ordinal, details=details)


def _token(call: MissedCall) -> str:
    return str(read_json(at_rest.open_sealed(call.details, call.at_rest_context))["token"])


def _chance(userid: str, msisdn: str, ordinal: int) -> bytes:
    """Return 32 bytes that decide one call's story."""
    message = f"citcall|{userid}|{msisdn}|{ordinal}".encode()
    return hmac.digest(settings.SANDBOX_SEED.encode(), message, "sha256")
