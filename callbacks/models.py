"""The outbox: what is to be delivered, written in the transaction that made it due."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from callbacks.channels import CALLBACK
from tenants.models import Flow


class DeliveryState(models.TextChoices):
    """Where a delivery stands."""

    PENDING = "pending", "Pending"
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Failed for good"


class Delivery(models.Model):
    """One message to the outside. The row is the truth, Celery only rings.

    A worker holds it by a *lease*: a token nobody else has, until a time. Only the holder of
    the token writes a result (callbacks/claim.py).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="deliveries")
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
    event = models.CharField(max_length=64, help_text="What happened, such as call.ended.")
    subject = models.CharField(
        max_length=64, blank=True, help_text="Which record it is about; never personal data."
    )
    #: The JSON before the contract seals it, sealed at rest.
    body = models.BinaryField()
    state = models.CharField(max_length=16, choices=DeliveryState, default=DeliveryState.PENDING)
    attempts = models.PositiveIntegerField(default=0, help_text="Attempts begun, in all.")
    step = models.PositiveSmallIntegerField(
        default=0, help_text="Attempts begun in this round of the schedule."
    )
    next_attempt_at = models.DateTimeField()
    lease_token = models.UUIDField(null=True, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    last_status = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="HTTP status of the last attempt."
    )
    last_error = models.CharField(max_length=64, blank=True, help_text="Class of the last failure.")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)
        verbose_name_plural = "deliveries"
        permissions = [("retry_delivery", "Can have a delivery tried again")]
        indexes = [
            models.Index(
                fields=("next_attempt_at",),
                condition=Q(state="pending"),
                name="delivery_pending_due",
            )
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
                condition=Q(state="delivered", delivered_at__isnull=False)
                | (~Q(state="delivered") & Q(delivered_at__isnull=True)),
                name="delivery_delivered_has_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.id}"

    @property
    def at_rest_context(self) -> str:
        """Return the context that binds the body to this row."""
        return f"callbacks.delivery|{self.id}"
