"""A user's step is served once: the phone's retry button gets the first reply again.

A step is flow, flow token, screen and data of one ``data_exchange``. Whoever serves it holds a
row; a second request with the same step waits for the first reply rather than have the
service asked twice. Behind an atomic backend the row belongs to the transaction, so the
database does the waiting; behind the others it is a lease that ends by itself.

Where serving changes nothing (``Backend.is_safe``) nobody holds anything: of several replies the
one that is written down first is everybody's.

A step without a token of its own (missing, or the placeholder a message without one
carries) is not remembered: two users may send the same, and must not see each other's reply.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings

from crypto_schemes.json_text import JSONValue
from crypto_schemes.whatsapp_flows.payload import DATA_EXCHANGE, FlowRequest
from flows_endpoint import rows
from flows_endpoint.exchange import Reason, Refusal
from flows_endpoint.whatsapp_flows.models import StepReply
from tenants import at_rest, digests, sql
from tenants.keyring import FlowSnapshot
from tenants.serving_threads import seats

#: Tokens that do not tell users apart.
SHARED_TOKENS: Final = frozenset({"", "unused"})
#: Seconds a request may hold a step beyond the time an upstream has to answer.
_MARGIN: Final = 15.0
#: Seconds to wait for another request's reply; the phone gives up after ten.
PATIENCE: Final = 8.0
_PAUSE: Final = 0.1
#: One way to write the data of a step.
_SORTED: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
#: What the operator reads where nobody finished the step.
IN_PROGRESS: Final = "same step in progress"

_TAKE = f"""
    INSERT INTO {StepReply._meta.db_table} (name, flow_id, owner, reply, expires_at)
    VALUES (%s, %s, %s, %s, %s)
    ON CONFLICT (name) DO UPDATE
    SET owner = excluded.owner, reply = excluded.reply, expires_at = excluded.expires_at
    WHERE {StepReply._meta.db_table}.expires_at <= %s
"""  # noqa: S608 - the only interpolation is our own table name
_FINISH = f"""
    UPDATE {StepReply._meta.db_table} SET reply = %s, expires_at = %s
    WHERE name = %s AND owner = %s
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Statement:
    """One that goes along with another: SQL, its values, and whether it decides.

    Where it decides, the other is run only if this one changed a row.
    """

    sql: str
    values: list[Any] = field(repr=False)
    decides: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """The right to serve a step."""

    name: str
    owner: str


@dataclass(frozen=True, slots=True)
class FirstReply:
    """What was answered when the step was first served."""

    payload: JSONValue


def is_remembered(flow: FlowSnapshot, request: FlowRequest) -> bool:
    """Return whether a repetition of ``request`` gets the first reply."""
    return (
        flow.options.retry_window > 0
        and request.action == DATA_EXCHANGE
        and request.flow_token is not None
        and request.flow_token not in SHARED_TOKENS
    )


def step_of(flow: FlowSnapshot, request: FlowRequest) -> Step:
    """Return the step of ``request`` as this request may serve it."""
    return Step(_name(flow.id, request), secrets.token_hex(8))


def begin(flow: FlowSnapshot, step: Step, *, atomic: bool) -> FirstReply | None:
    """Take the step, or return the first reply where it was served already.

    ``atomic`` says that a transaction is open which ends with the request. Raises Refusal
    (unavailable) when another request has held the step for :data:`PATIENCE` seconds.
    """
    deadline = time.monotonic() + (0 if atomic else PATIENCE)
    while True:
        if _take(flow.id, step):
            return None
        if first := first_reply(step):
            return first
        if time.monotonic() >= deadline:
            raise Refusal(Reason.UNAVAILABLE, step=IN_PROGRESS)
        with seats.left():
            time.sleep(_PAUSE)


def first_reply(step: Step) -> FirstReply | None:
    """Return what another request answered to the step, if that is over and still remembered."""
    row = StepReply.objects.filter(name=step.name, expires_at__gt=time.time()).first()
    if row is None or not row.reply or row.owner == step.owner:
        return None
    return FirstReply(json.loads(at_rest.open_sealed(row.reply, row.at_rest_context)))


def finish(step: Step, text: bytes, window: int) -> None:
    """Remember the JSON ``text`` as the reply for ``window`` seconds."""
    statement = finishing(step, text, window)
    rows.changes_one(statement.sql, statement.values)


def finishing(step: Step, text: bytes, window: int) -> Statement:
    """Return the statement of :func:`finish`, for who runs it together with another."""
    return Statement(
        _FINISH, [_sealed(step.name, text), time.time() + window, step.name, step.owner]
    )


def remembering(flow: FlowSnapshot, step: Step, text: bytes, window: int) -> Statement:
    """Return the statement that remembers the reply to a step nobody took, and so decides.

    It changes nothing where the step was answered already, or is being served.
    """
    now, flow_id = time.time(), sql.uuid_digits(flow.id)
    return Statement(
        _TAKE,
        [step.name, flow_id, step.owner, _sealed(step.name, text), now + window, now],
        decides=True,
    )


def abandon(step: Step) -> bool:
    """Let go of a step that was not served, so that the next request may; False if not ours."""
    return StepReply.objects.filter(name=step.name, owner=step.owner).delete()[0] == 1


def forget_expired(now: float) -> int:
    """Delete what is past its time; returns how many rows."""
    return StepReply.objects.filter(expires_at__lte=now).delete()[0]


def _take(flow_id: str, step: Step) -> bool:
    now = time.time()
    lease = settings.UPSTREAM_CONNECT_SECONDS + settings.UPSTREAM_READ_SECONDS + _MARGIN
    flow = sql.uuid_digits(flow_id)
    return rows.changes_one(_TAKE, [step.name, flow, step.owner, b"", now + lease, now])


def _sealed(name: str, text: bytes) -> bytes:
    return at_rest.seal(text, StepReply.context_of(name))


def _name(flow_id: str, request: FlowRequest) -> str:
    # Member order may differ from one sending to the next.
    data = _SORTED(request.data).encode()
    parts = [flow_id, request.flow_token, request.screen, hashlib.sha256(data).hexdigest()]
    return digests.lookup_digest("whatsapp_flows", "step", json.dumps(parts))
