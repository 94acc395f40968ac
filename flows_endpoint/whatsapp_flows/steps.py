"""A user's step is served once: the phone's retry button gets the first reply again.

A step is flow, flow token, screen and data of one ``data_exchange``. Whoever serves it holds a
row; a second request with the same step waits for the first reply rather than have the
service asked twice. Behind an atomic backend the row belongs to the transaction, so the
database does the waiting; behind the others it is a lease that ends by itself.

A step without a token of its own (missing, or the placeholder a message without one
carries) is not remembered: two users may send the same, and must not see each other's reply.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from django.conf import settings
from django.db import connection

from crypto_schemes.json_text import JSONValue
from crypto_schemes.whatsapp_flows.payload import DATA_EXCHANGE, FlowRequest
from flows_endpoint.exchange import Reason, Refusal
from flows_endpoint.whatsapp_flows.models import StepReply
from tenants import at_rest, digests
from tenants.keyring import FlowSnapshot
from tenants.models import Flow

#: Tokens that do not tell users apart.
SHARED_TOKENS: Final = frozenset({"", "unused"})
#: Seconds a request may hold a step beyond the time an upstream has to answer.
_MARGIN: Final = 15.0
#: Seconds to wait for another request's reply; the phone gives up after ten.
PATIENCE: Final = 8.0
_PAUSE: Final = 0.1

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

#: SQL and its values.
Statement: TypeAlias = tuple[str, list[Any]]


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


def begin(flow: FlowSnapshot, request: FlowRequest, *, atomic: bool) -> Step | FirstReply:
    """Return the right to serve the step, or the first reply where it was served already.

    ``atomic`` says that a transaction is open which ends with the request. Raises Refusal
    (unavailable) when another request has held the step for :data:`PATIENCE` seconds.
    """
    name = _name(flow.id, request)
    deadline = time.monotonic() + (0 if atomic else PATIENCE)
    while True:
        step = Step(name, secrets.token_hex(8))
        if _take(flow.id, step):
            return step
        row = StepReply.objects.filter(name=name).first()
        if row is not None and row.reply:
            text = at_rest.open_sealed(row.reply, row.at_rest_context)
            return FirstReply(json.loads(text))
        if time.monotonic() >= deadline:
            raise Refusal(Reason.UNAVAILABLE, step="same step in progress")
        time.sleep(_PAUSE)


def finish(step: Step, text: bytes, window: int) -> None:
    """Remember the JSON ``text`` as the reply for ``window`` seconds."""
    with connection.cursor() as cursor:
        cursor.execute(*finishing(step, text, window))


def finishing(step: Step, text: bytes, window: int) -> Statement:
    """Return the statement of :func:`finish`, for who runs it together with another."""
    sealed = at_rest.seal(text, StepReply(name=step.name).at_rest_context)
    return _FINISH, [sealed, time.time() + window, step.name, step.owner]


def abandon(step: Step) -> None:
    """Let go of a step that was not served, so that the next request may."""
    StepReply.objects.filter(name=step.name, owner=step.owner).delete()


def forget_expired(now: float) -> int:
    """Delete what is past its time; returns how many rows."""
    return StepReply.objects.filter(expires_at__lte=now).delete()[0]


def _take(flow_id: str, step: Step) -> bool:
    now = time.time()
    lease = settings.UPSTREAM_CONNECT_SECONDS + settings.UPSTREAM_READ_SECONDS + _MARGIN
    # Raw SQL does not know how this database writes a UUID; the field does.
    flow = Flow._meta.pk.get_db_prep_value(flow_id, connection)
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [step.name, flow, step.owner, b"", now + lease, now])
        return bool(cursor.rowcount == 1)


def _name(flow_id: str, request: FlowRequest) -> str:
    # Member order may differ from one sending to the next.
    data = json.dumps(request.data, sort_keys=True, separators=(",", ":")).encode()
    parts = [flow_id, request.flow_token, request.screen, hashlib.sha256(data).hexdigest()]
    return digests.lookup_digest("whatsapp_flows", "step", json.dumps(parts))
