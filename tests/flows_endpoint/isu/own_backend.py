"""A backend of one's own, as an operator would write it, that does what the payload says."""

from __future__ import annotations

from flows_endpoint.backends import Answer, Backend, Call
from flows_endpoint.exchange import Reason, Refusal
from flows_endpoint.isu.models import Payout, PayoutState
from tenants import keyring


class OwnBackend(Backend):
    """Answers, refuses or breaks on request."""

    def handle(self, call: Call) -> Answer:
        wish = call.payload if isinstance(call.payload, dict) else {}
        now = keyring.utc(call.received_at)
        row = Payout(
            flow_id=call.flow.id,
            reference_digest="0" * 64,
            created_at=now,
            ended_at=now,
            state=PayoutState.SUCCESS,
        )
        row.put({})
        row.save(force_insert=True)
        if "refuse" in wish:
            raise Refusal(Reason(wish["refuse"]), wish.get("code", ""))
        if "break" in wish:
            raise ValueError(wish["break"])
        if "unsealable" in wish:
            return Answer(float("nan"))
        return Answer({"operation": call.operation, "raw": call.raw.decode()})


class Outside(OwnBackend):
    """The same, but not in a transaction."""

    atomic = False
