"""The doorbell of the outbox."""

from __future__ import annotations

from celery import shared_task


@shared_task
def deliver_due() -> None:
    """Deliver what is due."""
