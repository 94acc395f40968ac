"""A client unique id is served once in 24 hours; whoever repeats it gets the first reply.

This holds whatever the backend. A claim keeps two requests with the same id apart
while the first is being served: behind an atomic backend it is a row of the same transaction,
so that the second waits; behind the others it is a lease, and the second is told to come
back (rc 34).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from crypto_schemes.scheme import read_json, write_json
from flows_endpoint import rows, timers
from flows_endpoint.backends import Answer
from flows_endpoint.citcall.errors import Rc
from flows_endpoint.citcall.models import FirstReply
from flows_endpoint.exchange import Reason, Refusal
from flows_endpoint.guards import replay
from flows_endpoint.models import Timer
from tenants import at_rest, digests

REMEMBERED: Final = timedelta(hours=24)
FORGET: Final = "citcall.forget_first_reply"
_AS_NEW: Final = (
    "(digest) DO UPDATE SET reply = excluded.reply, "
    "created_at = excluded.created_at, expires_at = excluded.expires_at"
)


def answer_once(
    flow_id: str, client_unique_id: str, answer: Callable[[], Answer], *, atomic: bool
) -> Answer:
    """Return ``answer()``, or what it returned when the id was first served.

    ``atomic`` says that a transaction is open which the caller rolls back on any error.
    Raises Refusal with rc 34 while another request with the same id is being served.
    """
    digest = digests.lookup_digest("citcall", "client_unique_id", f"{flow_id}|{client_unique_id}")
    if known := _first_reply(digest):
        return known
    claim = replay.claim(flow_id, "citcall.unique_id", digest.encode(), replay.LEASE, durable=True)
    if claim is None:
        # Whoever held the claim has had time to finish, if it waited for a transaction.
        if known := _first_reply(digest):
            return known
        raise Refusal(Reason.BUSINESS, Rc.UNAVAILABLE, step="same id in progress")
    try:
        made = answer()
        _remember(flow_id, digest, made)
    except BaseException:
        if not atomic:
            claim.release()
        raise
    return made


def forget(timer: Timer) -> None:
    """Delete the reply the timer is about, unless the id was served anew since."""
    FirstReply.objects.filter(digest=timer.subject, expires_at__lte=timezone.now()).delete()


def _first_reply(digest: str) -> Answer | None:
    row = FirstReply.objects.filter(digest=digest, expires_at__gt=timezone.now()).first()
    if row is None:
        return None
    return Answer(read_json(at_rest.open_sealed(row.reply, row.at_rest_context)))


@transaction.atomic(savepoint=False)
def _remember(flow_id: str, digest: str, answer: Answer) -> None:
    now = timezone.now()
    row = FirstReply(digest=digest, flow_id=flow_id, created_at=now, expires_at=now + REMEMBERED)
    row.reply = at_rest.seal(write_json(answer.payload), row.at_rest_context)
    # The row of an id last served more than a day ago may still be there.
    rows.insert_once(row, on_conflict=_AS_NEW)
    timers.schedule(flow_id, FORGET, digest, row.expires_at)
