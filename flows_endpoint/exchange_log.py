"""The exchange log: one row a request, and the use count of the keys that opened it."""

from __future__ import annotations

import hashlib
import logging
import time
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from flows_endpoint.exchange import FAILURES, Exchange, HttpReply, Refusal
from flows_endpoint.models import ExchangeRow, Outcome
from tenants import keyring

logger = logging.getLogger("sealgate.exchange")

#: How long rows without a flow are kept: strangers write them, as many as they like.
_STRANGERS: Final = timedelta(days=1)
#: Rows deleted in one statement: SQLite has one writer, and requests wait for it.
_AT_ONCE: Final = 2000


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
    except Exception as error:  # noqa: BLE001 - the reply is made, whatever is wrong here
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


def forget_old(now: float) -> int:
    """Delete the rows whose time is over at Unix time ``now``; returns how many."""
    moment = keyring.utc(now)
    old = ExchangeRow.objects.filter(at__lt=moment - timedelta(days=settings.EXCHANGE_LOG_DAYS))
    of_strangers = ExchangeRow.objects.filter(flow=None, at__lt=moment - _STRANGERS)
    return _delete(old) + _delete(of_strangers)


def _delete(rows: QuerySet[ExchangeRow]) -> int:
    deleted = 0
    while some := list(rows.order_by("at").values_list("pk", flat=True)[:_AT_ONCE]):
        deleted += ExchangeRow.objects.filter(pk__in=some).delete()[0]
    return deleted
