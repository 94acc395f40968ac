"""One-time links by which a partner fetches credentials."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import models
from django.db.models import Q

from tenants.models.flows import Flow
from tenants.models.keys import Key


class HandOverState(models.TextChoices):
    """Where a link stands. Worked out from its times and versions, stored nowhere."""

    WAITING = "waiting", "Waits to be opened"
    OPENED = "opened", "Opened"
    WITHDRAWN = "withdrawn", "Withdrawn"
    EXPIRED = "expired", "Expired, never opened"
    CLOSED = "closed", "Does not open: a version it shows has ended"


class HandOver(models.Model):
    """A link that shows the secrets of some key versions once.

    Holds no secret: those are read from the versions when the link is opened. The link's token
    is known by its digest alone, so the row does not open it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="handovers")
    keys = models.ManyToManyField(Key, related_name="handovers")
    #: SHA-256 of the token; 64 hex digits.
    token_digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=150)
    expires_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True, blank=True)
    opened_from = models.GenericIPAddressField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)
        verbose_name = "hand-over"
        constraints = [
            models.CheckConstraint(
                condition=Q(opened_at__isnull=True) | Q(withdrawn_at__isnull=True),
                name="handover_ends_once",
            ),
        ]

    def __str__(self) -> str:
        return f"hand-over of {self.created_at:%Y-%m-%d %H:%M}"

    def state(self, now: datetime) -> HandOverState:
        """Return where the link stands at ``now``; reads the versions it shows."""
        if self.opened_at is not None:
            return HandOverState.OPENED
        if self.withdrawn_at is not None:
            return HandOverState.WITHDRAWN
        if now >= self.expires_at:
            return HandOverState.EXPIRED
        if self.ended_keys(now):
            return HandOverState.CLOSED
        return HandOverState.WAITING

    def ended_keys(self, now: datetime) -> list[Key]:
        """Return the versions for whose end the link does not open any more."""
        return [key for key in self.keys.all() if not key.opens(now)]
