"""The exchange log: one row a request, and the use count of the keys that opened it."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from django.conf import settings

from crypto_schemes.keys import KeyVersion
from flows_endpoint import log_entries, log_writer
from flows_endpoint.exchange import FAILURES, Exchange, HttpReply, Refusal
from flows_endpoint.log_entries import Entry, UsedKey
from flows_endpoint.models import ExchangeRow, Outcome
from tenants import keyring
from tenants.deletion import delete_in_batches
from tenants.snapshot import FlowSnapshot

logger = logging.getLogger(__name__)

#: How long rows without a flow are kept: strangers write them, as many as they like.
_STRANGERS: Final = timedelta(days=1)
#: Rows deleted in one statement: SQLite has one writer, and requests wait for it.
_AT_ONCE: Final = 2000


def note(exchange: Exchange, reply: HttpReply, refusal: Refusal | None) -> None:
    """Take down what became of ``exchange``: a row, a line, a use of its keys.

    It is written behind the request's back (:mod:`flows_endpoint.log_writer`), or at once where
    ``EXCHANGE_LOG_BATCHES`` is off. A log that cannot be written is reported and does not change
    the reply: what was acknowledged already stands in the business tables.
    """
    entry = _entry(exchange, reply, refusal)
    if settings.EXCHANGE_LOG_BATCHES:
        log_writer.writer.put(entry)
        return
    try:
        log_entries.store([entry])
    except Exception as error:  # noqa: BLE001 - the reply is made, whatever is wrong here
        logger.error("The exchange log cannot be written: %s", type(error).__name__)  # noqa: TRY400
    log_writer.tell([entry])


def _entry(exchange: Exchange, reply: HttpReply, refusal: Refusal | None) -> Entry:
    flow, keys = exchange.flow, exchange.opened_by
    outcome, reason, step = Outcome.OK, "", ""
    if refusal is not None:
        outcome = Outcome.FAILED if refusal.reason in FAILURES else Outcome.REFUSED
        reason, step = refusal.reason.value, refusal.step[:64]
    return Entry(
        at=keyring.utc(exchange.received_at),
        request_id=exchange.request_id,
        flow_id=flow.id if flow else None,
        scheme=exchange.scheme,
        operation=exchange.operation,
        source=exchange.source or None,
        outcome=outcome.value,
        reason=reason,
        step=step,
        code=str(reply.code)[:64],
        http_status=reply.status,
        key_versions=", ".join([f"{key.purpose} v{key.version}" for key in keys])[:200],
        milliseconds=round((time.perf_counter() - exchange.started) * 1000, 3),
        request_size=len(exchange.body),
        request_digest=hashlib.sha256(exchange.body).hexdigest() if exchange.body else "",
        client=flow.client_slug if flow else None,
        keys=() if flow is None else used_keys(flow, keys),
        trace=exchange.trace,
    )


def used_keys(flow: FlowSnapshot, versions: Iterable[KeyVersion]) -> tuple[UsedKey, ...]:
    """Return what is counted of the versions that opened a request of ``flow``."""
    return tuple(
        [
            UsedKey(
                *(version.id, version.purpose, held.state, held.made_at),
                *(version.version, version.fingerprint),
            )
            for version in versions
            for held in flow.keys.get(version.purpose, ())
            if held.version is version
        ]
    )


def forget_old(now: float) -> int:
    """Delete the rows whose time is over at Unix time ``now``; returns how many."""
    moment = keyring.utc(now)
    old = ExchangeRow.objects.filter(at__lt=moment - timedelta(days=settings.EXCHANGE_LOG_DAYS))
    of_strangers = ExchangeRow.objects.filter(flow=None, at__lt=moment - _STRANGERS)
    return sum(delete_in_batches(rows.order_by("at"), _AT_ONCE) for rows in (old, of_strangers))
