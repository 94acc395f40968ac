"""The exchange log: one row a request, and the use count of the keys that opened it."""

from __future__ import annotations

import hashlib
import logging
import time

from django.db import DatabaseError, transaction

from flows_endpoint.exchange import FAILURES, Exchange, HttpReply, Refusal
from flows_endpoint.models import ExchangeRow, Outcome
from tenants import keyring

logger = logging.getLogger("sealgate.exchange")


def note(exchange: Exchange, reply: HttpReply, refusal: Refusal | None) -> None:
    """Write what became of ``exchange``.

    A log that cannot be written is reported and does not change the reply: what was
    acknowledged already stands in the business tables.
    """
    outcome = Outcome.OK
    if refusal is not None:
        outcome = Outcome.FAILED if refusal.reason in FAILURES else Outcome.REFUSED
    milliseconds = round((time.perf_counter() - exchange.started) * 1000, 3)
    at = keyring.utc(exchange.received_at)
    row = ExchangeRow(
        at=at,
        request_id=exchange.request_id,
        flow_id=exchange.flow.id if exchange.flow else None,
        scheme=exchange.scheme,
        operation=exchange.operation,
        source=exchange.source or None,
        outcome=outcome,
        reason=refusal.reason.value if refusal else "",
        step=(refusal.step if refusal else "")[:64],
        code=str(reply.code)[:64],
        http_status=reply.status,
        key_versions=", ".join(f"{key.purpose} v{key.version}" for key in exchange.opened_by)[:200],
        milliseconds=milliseconds,
        request_size=len(exchange.body),
        request_digest=hashlib.sha256(exchange.body).hexdigest() if exchange.body else "",
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
            keyring.note_use(tuple(key.id for key in exchange.opened_by), at)
    except DatabaseError as error:
        logger.error("The exchange log cannot be written: %s", type(error).__name__)  # noqa: TRY400
    logger.info(
        "exchange",
        extra={
            "scheme": exchange.scheme,
            "flow": exchange.flow.id if exchange.flow else None,
            "client": exchange.flow.client_slug if exchange.flow else None,
            "operation": exchange.operation,
            "outcome": outcome.value,
            "reason": row.reason,
            "step": row.step,
            "code": row.code,
            "status": reply.status,
            "keys": row.key_versions,
            "milliseconds": milliseconds,
        },
    )
