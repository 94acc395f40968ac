"""Ranges of deliveries to be sent again: jobs that the worker does piece by piece."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q

from callbacks.models.endpoints import Endpoint
from tenants.models import Client, Flow


class ReplayState(models.TextChoices):
    """Where a replay stands."""

    RUNNING = "running", "Running"
    DONE = "done", "Done"
    CANCELLED = "cancelled", "Cancelled"


class Replay(models.Model):
    """Send again what was made from ``since`` until ``until`` and matches the rest.

    The worker goes through the range in order and remembers how far it came in the transaction
    of each piece, so a replay survives every kill, counts nothing twice, and knows no largest
    size (callbacks/replaying.py).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    since = models.DateTimeField("made from", help_text="The first moment that belongs to it.")
    until = models.DateTimeField("made before")
    client = models.ForeignKey(
        Client, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    flow = models.ForeignKey(
        Flow, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    endpoint = models.ForeignKey(
        Endpoint, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    event = models.CharField(max_length=64, blank=True, help_text="Empty: any.")
    states = models.JSONField(help_text="Which states are sent again.")

    state = models.CharField(max_length=16, choices=ReplayState, default=ReplayState.RUNNING)
    requested_by = models.CharField(max_length=150)
    reason = models.CharField(max_length=200, blank=True)
    cursor_at = models.DateTimeField(null=True, blank=True, editable=False)
    cursor_id = models.UUIDField(null=True, blank=True, editable=False)
    total = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="How many there are to look at; empty until counted."
    )
    seen = models.PositiveBigIntegerField(default=0, help_text="Looked at so far.")
    queued = models.PositiveBigIntegerField(default=0, help_text="Sent again, of those.")
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=ReplayState.values), name="replay_state_known"
            ),
            models.CheckConstraint(condition=Q(since__lt=F("until")), name="replay_range_forward"),
            models.CheckConstraint(
                condition=Q(state="running", ended_at__isnull=True)
                | (~Q(state="running") & Q(ended_at__isnull=False)),
                name="replay_ended_has_time",
            ),
            models.CheckConstraint(condition=Q(queued__lte=F("seen")), name="replay_counts_agree"),
        ]
        indexes = [
            models.Index(
                fields=("created_at",), condition=Q(state="running"), name="replay_running"
            )
        ]

    def __str__(self) -> str:
        return f"Replay {self.id}"
