"""The outbox: what is to be delivered, written in the transaction that made it due."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from tenants.models import Flow


class DeliveryState(models.TextChoices):
    """Where a delivery stands."""

    PENDING = "pending", "Pending"
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Failed for good"


class Delivery(models.Model):
    """One message to a flow's callback URL. The row is the truth, Celery only rings."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="deliveries")
    event = models.CharField(max_length=64, help_text="What happened, such as call.ended.")
    subject = models.CharField(
        max_length=64, blank=True, help_text="Which record it is about; never personal data."
    )
    #: The JSON before the contract seals it, sealed at rest.
    body = models.BinaryField()
    state = models.CharField(max_length=16, choices=DeliveryState, default=DeliveryState.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(db_index=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    last_status = models.PositiveSmallIntegerField(null=True, blank=True)
    last_error = models.CharField(max_length=64, blank=True, help_text="Class of the last failure.")
    created_at = models.DateTimeField(auto_now_add=True)
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)
        verbose_name_plural = "deliveries"
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
            )
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.id}"

    @property
    def at_rest_context(self) -> str:
        """Return the context that binds the body to this row."""
        return f"callbacks.delivery|{self.id}"
