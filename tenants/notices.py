"""Notices to the operators of the installation, by e-mail.

A notice is a row, written in the transaction of what it tells of, so none is told of something
that was undone, and none is lost: it stays until a mail server has taken the mail. The worker
sends outside any transaction whatever is due, together in one mail. While it sends, nobody else
does; a mail that failed, or a worker that died over it, is tried again when that time is over. So a
notice arrives at least once, and twice only when a worker dies between the mail and its note of it.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import timezone

from tenants.models import OperatorNotice

logger = logging.getLogger("sealgate.notices")

#: How long a sender has; after that another may try. Far above the time-out of the mail server.
LEASE: Final = timedelta(minutes=10)
#: Notices in one mail.
_AT_ONCE: Final = 100


def tell_operators(title: str, text: str) -> None:
    """Have the operators told, once the transaction commits; nobody where none are named."""
    if settings.OPERATORS_EMAIL:
        OperatorNotice.objects.create(title=title[:200], text=text)


def send_due(now: datetime | None = None) -> int:
    """Send every notice that is due, in one mail; returns how many were sent.

    A mail that cannot be sent is logged and tried again after :data:`LEASE`.
    """
    if not settings.OPERATORS_EMAIL:
        return 0
    claimed = _claim(now or timezone.now())
    if not claimed:
        return 0
    try:
        _mail(claimed).send()
    except Exception as error:  # noqa: BLE001 - whatever is wrong with mail, the notices stay
        logger.error(  # noqa: TRY400 - a trace may quote what the mail server was told
            "The operators cannot be told by e-mail: %s. Tried again in %d minutes.",
            type(error).__name__,
            LEASE / timedelta(minutes=1),
            extra={"notices": len(claimed)},
        )
        return 0
    OperatorNotice.objects.filter(pk__in=[notice.pk for notice in claimed]).delete()
    logger.info("The operators were told by e-mail.", extra={"notices": len(claimed)})
    return len(claimed)


def _claim(now: datetime) -> list[OperatorNotice]:
    with transaction.atomic():
        due = OperatorNotice.objects.filter(next_attempt_at__lte=now).order_by("pk")
        claimed = list(due.select_for_update(skip_locked=True)[:_AT_ONCE])
        mine = OperatorNotice.objects.filter(pk__in=[notice.pk for notice in claimed])
        mine.update(next_attempt_at=now + LEASE)
    return claimed


def _mail(notices: list[OperatorNotice]) -> EmailMessage:
    subject = notices[0].title if len(notices) == 1 else f"{len(notices)} notices"
    return EmailMessage(
        subject=f"[Sealgate] {subject}",
        body="\n\n".join(f"{notice.title}\n{notice.text}" for notice in notices),
        to=settings.OPERATORS_EMAIL,
    )
