"""The outbox: what is to be delivered, written in the transaction that made it due."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q

from callbacks.channels import CALLBACK
from callbacks.models.endpoints import Endpoint
from callbacks.models.replays import Replay
from tenants.indexes import NewestFirst
from tenants.models import Flow


class DeliveryState(models.TextChoices):
    """Where a delivery stands."""

    PENDING = "pending", "Pending"
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Failed for good"  # a dead letter
    CANCELLED = "cancelled", "Cancelled by an operator"


class Urgency(models.IntegerChoices):
    """What goes first at an endpoint. A number: both databases look it up in the index."""

    FRESH = 0, "Fresh"
    REPLAY = 1, "Part of a replay"


class Delivery(models.Model):
    """One message to the outside. The row is the truth, Celery only rings.

    A worker holds it by a *lease*: a token nobody else has, until a time. Only the holder of
    the token writes a result (callbacks/settle.py). While it is held ``next_attempt_at`` is
    the end of the lease, so a delivery whose worker died is due again by itself.

    In a lane only the first pending delivery has a ``next_attempt_at``; it is given to the next
    when that one is settled (callbacks/lanes.py).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # The indexes below begin with these columns, so they need none of their own.
    flow = models.ForeignKey(
        Flow, on_delete=models.PROTECT, related_name="deliveries", db_index=False
    )
    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.PROTECT, related_name="deliveries", db_index=False
    )
    channel = models.CharField(
        max_length=32,
        default=CALLBACK,
        db_default=CALLBACK,
        help_text="Which way out it takes (callbacks/channels.py).",
    )
    lane = models.CharField(
        max_length=64,
        blank=True,
        db_default="",
        help_text="Deliveries of one lane go out one by one, in the order they were made.",
    )
    position = models.PositiveBigIntegerField(
        null=True, blank=True, editable=False, help_text="Its place in the lane."
    )
    event = models.CharField(max_length=64, help_text="What happened, such as call.ended.")
    subject = models.CharField(
        max_length=64, blank=True, help_text="Which record it is about; never personal data."
    )
    #: The JSON before the contract seals it, sealed at rest.
    body = models.BinaryField()
    state = models.CharField(max_length=16, choices=DeliveryState, default=DeliveryState.PENDING)
    urgency = models.PositiveSmallIntegerField(
        choices=Urgency,
        default=Urgency.FRESH,
        db_default=Urgency.FRESH,
        help_text="What is part of a replay goes when nothing fresh is due for its endpoint.",
    )
    replay = models.ForeignKey(
        Replay,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="deliveries",
        db_index=False,
    )
    traceparent = models.CharField(
        max_length=55,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="The trace that made it due (W3C Trace Context).",
    )
    attempts = models.PositiveIntegerField(default=0, help_text="Attempts begun, in all.")
    step = models.PositiveSmallIntegerField(
        default=0, help_text="Attempts begun in this round of the schedule."
    )
    round_at = models.DateTimeField(
        null=True, blank=True, help_text="When the first attempt of this round began."
    )
    next_attempt_at = models.DateTimeField(
        null=True, blank=True, help_text="Empty: waits for the one before it in its lane."
    )
    lease_token = models.UUIDField(null=True, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    last_status = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="HTTP status of the last attempt."
    )
    last_error = models.CharField(max_length=64, blank=True, help_text="Class of the last failure.")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    settled_at = models.DateTimeField(
        null=True, blank=True, help_text="When it arrived, failed for good or was cancelled."
    )

    class Meta:
        ordering = ("-created_at",)
        verbose_name_plural = "deliveries"
        permissions = [
            ("retry_delivery", "Can have deliveries tried again, replayed and cancelled"),
        ]
        indexes = [
            # What claiming walks along: endpoints with anything pending, and what is due of each.
            models.Index(
                fields=("endpoint", "urgency", "next_attempt_at"),
                condition=Q(state="pending", next_attempt_at__isnull=False),
                name="delivery_claimable",
            ),
            models.Index(
                fields=("endpoint", "leased_until"),
                condition=Q(lease_token__isnull=False),
                name="delivery_leased",
            ),
            models.Index(
                F("endpoint"),
                F("lane"),
                F("urgency"),
                F("position"),
                condition=Q(state="pending") & ~Q(lane=""),
                name="delivery_lane_pending",
            ),
            models.Index(
                fields=("settled_at",),
                condition=Q(settled_at__isnull=False),
                name="delivery_settled",
            ),
            models.Index(fields=("flow", "created_at"), name="delivery_of_flow"),
            NewestFirst(
                "flow",
                "state",
                time="created_at",
                condition=~Q(state="delivered"),
                name="delivery_of_flow_in_state",
            ),
            # Dead letters, and what waits: the few among the many that arrived.
            models.Index(
                fields=("state", "created_at"),
                condition=~Q(state="delivered"),
                name="delivery_not_delivered",
            ),
            models.Index(
                fields=("subject", "created_at"),
                condition=~Q(subject=""),
                name="delivery_of_subject",
            ),
            models.Index(
                fields=("replay",), condition=Q(replay__isnull=False), name="delivery_of_replay"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=DeliveryState.values), name="delivery_state_known"
            ),
            models.CheckConstraint(
                condition=Q(lease_token__isnull=True, leased_until__isnull=True)
                | Q(lease_token__isnull=False, leased_until__isnull=False, state="pending"),
                name="delivery_lease_whole_and_pending",
            ),
            models.CheckConstraint(
                condition=Q(state="pending", settled_at__isnull=True)
                | (~Q(state="pending") & Q(settled_at__isnull=False)),
                name="delivery_settled_has_time",
            ),
            models.CheckConstraint(
                condition=Q(lane="", position__isnull=True)
                | (~Q(lane="") & Q(position__isnull=False)),
                name="delivery_place_in_a_lane",
            ),
            models.CheckConstraint(
                condition=~Q(state="pending", next_attempt_at__isnull=True) | ~Q(lane=""),
                name="delivery_waits_only_in_a_lane",
            ),
            models.UniqueConstraint(
                fields=("endpoint", "lane", "position"),
                condition=~Q(lane=""),
                name="delivery_place_once",
            ),
            models.UniqueConstraint(
                fields=("endpoint", "lane"),
                condition=Q(state="pending", next_attempt_at__isnull=False) & ~Q(lane=""),
                name="delivery_one_head_a_lane",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.id}"

    @property
    def at_rest_context(self) -> str:
        """Return the context that binds the body to this row."""
        return f"callbacks.delivery|{self.id}"
