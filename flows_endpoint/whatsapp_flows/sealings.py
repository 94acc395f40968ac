"""Never two different replies under one AES key and IV.

A reply is sealed under the key and IV that came with its request, and nothing in a request says
when it was made. Whoever recorded one and sends it again would get another reply under the same
key and IV, once the step has another answer; of two such texts AES-GCM gives away the difference,
and the means to forge more (NIST SP 800-38D, appendix A). So the first reply under a key and IV is
marked, and only the very same one may follow.

A mark is kept as long as the RSA version that opened the request opens: afterwards the
recording is worth nothing.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Q

from crypto_schemes.envelope import OpenedRequest
from crypto_schemes.errors import SealError
from crypto_schemes.whatsapp_flows import Session
from flows_endpoint import rows
from flows_endpoint.whatsapp_flows.models import SealMark
from flows_endpoint.whatsapp_flows.steps import Statement
from tenants import digests, sql
from tenants.models import ENDED_STATES, Key

#: What the operator reads where a second reply was refused.
STEP: Final = "second reply"
#: Marks deleted in one statement, so that nobody waits for it long.
_BATCH: Final = 2000

_TABLE: Final = SealMark._meta.db_table
#: The only interpolations are our own table and columns.
_UNLESS_ANOTHER: Final = f"""
    ON CONFLICT (name) DO UPDATE SET reply_digest = excluded.reply_digest
    WHERE {_TABLE}.reply_digest = excluded.reply_digest
"""
_INTO: Final = f"INSERT INTO {_TABLE} (name, reply_digest, key_id)"
_MARK: Final = f"{_INTO} VALUES (%s, %s, %s) {_UNLESS_ANOTHER}"
_IF_OTHER: Final = "SELECT %s, %s, %s WHERE EXISTS (SELECT 1 FROM other)"
_MARK_IF: Final = f"{_INTO} {_IF_OTHER} {_UNLESS_ANOTHER}"


def is_first(
    opened: OpenedRequest, sealed: bytes, *, together_with: Statement | None = None
) -> bool:
    """Return whether ``sealed`` is the first reply to ``opened``, or the same as the first.

    ``together_with`` goes along: in the same statement where the database can do that, in the
    same transaction everywhere. If that decides and changes nothing, the answer is False and
    nothing is marked. Raises SealError for a request that was not opened by this contract.
    """
    mark = _mark(opened, sealed)
    if together_with is None:
        return rows.changes_one(_MARK, mark)
    first, values = together_with.sql, together_with.values
    if connection.vendor == "postgresql":
        both = f"WITH other AS ({first}) {_MARK}"
        if together_with.decides:
            both = f"WITH other AS ({first} RETURNING 1) {_MARK_IF}"
        return rows.changes_one(both, [*values, *mark])
    with transaction.atomic(savepoint=False):
        has_changed = rows.changes_one(first, values)
        return (has_changed or not together_with.decides) and rows.changes_one(_MARK, mark)


def _mark(opened: OpenedRequest, sealed: bytes) -> list[Any]:
    """Return the columns of the mark. Raises SealError."""
    session = opened.context
    version = next((key for key in opened.opened_by if key.purpose == "whatsapp_rsa"), None)
    if not isinstance(session, Session) or version is None:
        raise SealError("The request to answer was not opened by this scheme.")
    name = digests.lookup_digest("whatsapp_flows", "session", (session.key + session.iv).hex())
    return [name, hashlib.sha256(sealed).hexdigest(), sql.uuid_digits(version.id)]


def forget_ended(now: float) -> int:
    """Delete the marks of versions that open nothing any more; returns how many."""
    moment = datetime.fromtimestamp(now, UTC)
    ended = Key.objects.filter(Q(state__in=ENDED_STATES) | Q(accept_until__lte=moment))
    marks = SealMark.objects.filter(key__in=ended.filter(purpose="whatsapp_rsa"))
    count = 0
    while names := list(marks.values_list("name", flat=True)[:_BATCH]):
        count += SealMark.objects.filter(name__in=names).delete()[0]
    return count
