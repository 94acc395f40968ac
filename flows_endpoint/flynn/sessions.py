"""Users and their sessions: log-in, renewal, log-out, and whether a session still lives."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import F, QuerySet

from crypto_schemes.flynn import FlynnOptions, tokens
from crypto_schemes.flynn.tokens import Claims
from crypto_schemes.keys import Credentials, KeyVersion
from flows_endpoint.exchange import Reason, Refusal
from flows_endpoint.flynn.errors import Err
from flows_endpoint.flynn.models import Account, SessionEnd, UserSession
from tenants import sql
from tenants.keyring import FlowSnapshot, utc

_LIVE: Final = f"""
    SELECT key_id FROM {UserSession._meta.db_table} s
    JOIN {Account._meta.db_table} a ON a.id = s.account_id
    WHERE s.id = %s AND s.ended_at IS NULL AND a.flow_id = %s
"""  # noqa: S608 - the only interpolations are our own table names
#: Sessions that are over stay visible to administrators for so long.
_KEPT: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Issued:
    """A token just made; ``repr`` shows neither."""

    token: str = field(repr=False)
    claims: Claims = field(repr=False)


@transaction.atomic
def log_in(
    flow: FlowSnapshot,
    credentials: Credentials,
    password: KeyVersion,
    *,
    now: float,
    minutes: int | None,
) -> Issued:
    """Begin a session for the flow's user, who proved to know ``password``.

    Raises Refusal (business) when the user has too many live ones.
    """
    options: FlynnOptions = flow.options
    account, _ = Account.objects.get_or_create(flow_id=flow.id)
    # Whoever holds this row counts alone: of two log-ins at once one may be the last.
    Account.objects.select_for_update().get(pk=account.pk)
    moment = utc(now)
    live = UserSession.objects.filter(
        account=account, ended_at__isnull=True, expires_at__gt=moment
    ).count()
    if live >= options.max_sessions:
        raise Refusal(Reason.BUSINESS, Err.TOO_MANY_SESSIONS)
    UserSession.objects.filter(account=account, expires_at__lt=moment - _KEPT).delete()
    token, claims = tokens.issue(
        str(account.pk),
        (flow.identity["org_id"],),
        credentials,
        options,
        now=now,
        minutes=minutes,
    )
    UserSession.objects.create(
        id=uuid.UUID(claims.session_id),
        account=account,
        key_id=uuid.UUID(password.id),
        created_at=moment,
        expires_at=utc(claims.expires_at),
    )
    return Issued(token, claims)


@transaction.atomic
def renew(claims: Claims, credentials: Credentials, *, now: float) -> Issued:
    """Return a new token for the session. Raises Refusal when it was ended meanwhile."""
    token, renewed = tokens.renew(claims, credentials, now=now)
    if not _live(claims).update(expires_at=utc(renewed.expires_at)):
        raise _ended()
    return Issued(token, renewed)


def log_out(claims: Claims, *, now: float) -> None:
    """End the session. Raises Refusal when it was ended meanwhile."""
    if not _live(claims).update(ended_at=utc(now), end_reason=SessionEnd.LOGGED_OUT):
        raise _ended()


def require_live(flow: FlowSnapshot, claims: Claims, credentials: Credentials) -> None:
    """Raise Refusal (not authentic) unless the token's session lives and belongs to the flow.

    A session ends with the password version it was begun with: who revokes a password that
    leaked shuts out whoever used it.
    """
    found = sql.run(_LIVE, [_session_id(claims).hex, sql.uuid_digits(flow.id)]).rows
    key_ids = {str(sql.uuid_of(key_id)) for (key_id,) in found if key_id is not None}
    if not any(version.id in key_ids for version in credentials.accepted(tokens.PASSWORD)):
        raise _ended()


def count_failed_opening(flow: FlowSnapshot, claims: Claims, *, now: float) -> None:
    """Count a request of the session that did not open; end the session after too many.

    Every such request answers one question about the key or the text; nobody who has a
    right to ask needs many.
    """
    options: FlynnOptions = flow.options
    live = _live(claims)
    with transaction.atomic():
        live.update(failed_openings=F("failed_openings") + 1)
        live.filter(failed_openings__gte=options.max_failed_openings).update(
            ended_at=utc(now), end_reason=SessionEnd.FAILED_OPENINGS
        )


def _live(claims: Claims) -> QuerySet[UserSession]:
    """Return the session's row unless it was ended. Raises Refusal for an id of another form."""
    return UserSession.objects.filter(pk=_session_id(claims), ended_at__isnull=True)


def _session_id(claims: Claims) -> uuid.UUID:
    try:
        return uuid.UUID(claims.session_id)
    except ValueError:
        raise _ended() from None


def _ended() -> Refusal:
    return Refusal(Reason.NOT_AUTHENTIC, Err.INVALID_TOKEN, step="session_ended")
