"""What the webhook brought: updates as they came, and the alerts found in them."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from tenants.models import Flow


class UpdateKind(models.TextChoices):
    """What a webhook update is about: its field, where it is one we know."""

    MESSAGES = "messages", "Messages and their statuses"
    FLOWS = "flows", "Flow status, error rate, latency"
    ACCOUNT = "account_update", "Business account"
    ACCOUNT_ALERTS = "account_alerts", "Alerts of the business account"
    QUALITY = "phone_number_quality_update", "Quality of the phone number"
    TEMPLATE = "message_template_status_update", "Status of a template"
    OTHER = "other", "Other"
    #: Signed, but not the JSON it should be: kept whole.
    UNREADABLE = "unreadable", "Unreadable"
    #: A large delivery as it came, until the worker has split it.
    BATCH = "batch", "A whole delivery"


class WebhookUpdate(models.Model):
    """One signed update as it came, once, however often it was delivered."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="+")
    #: Keyed digest of flow and content.
    digest = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=32, choices=UpdateKind)
    #: JSON of one change with the id and time of its entry, sealed; raw bytes if unreadable.
    body = models.BinaryField()
    received_at = models.DateTimeField(db_index=True)
    processed_at = models.DateTimeField(
        null=True, blank=True, help_text="When what it means was done; empty while it waits."
    )
    next_attempt_at = models.DateTimeField(default=timezone.now, db_default=Now())
    failures = models.PositiveSmallIntegerField(default=0, db_default=0)

    class Meta:
        ordering = ("-received_at",)
        verbose_name = "webhook update"
        indexes = [
            models.Index(
                fields=("next_attempt_at",),
                condition=Q(processed_at__isnull=True),
                name="whatsapp_update_due",
            )
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=UpdateKind.values), name="whatsapp_update_kind_known"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def at_rest_context(self) -> str:
        """Return the context that binds the body to this row."""
        return f"whatsapp_flows.webhookupdate|{self.id}"


class AlertSource(models.TextChoices):
    """Who found it."""

    META = "meta", "Meta"
    SEALGATE = "sealgate", "Sealgate"


class FlowAlert(models.Model):
    """Something about a flow that somebody should see to, until it is over or set aside.

    Nothing of a user stands in one.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="+")
    source = models.CharField(max_length=16, choices=AlertSource)
    event = models.CharField(max_length=64, help_text="Such as ENDPOINT_ERROR_RATE.")
    #: Tells alerts of one event apart: the flow at Meta, the threshold, the version.
    subject = models.CharField(max_length=128, blank=True)
    message = models.CharField(max_length=300, blank=True)
    opened_at = models.DateTimeField(db_index=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=150, blank=True, help_text="Who set it aside.")

    class Meta:
        ordering = ("-opened_at",)
        permissions = [("close_flowalert", "Can set an alert aside")]
        indexes = [
            models.Index(
                fields=("flow", "event"),
                condition=Q(closed_at__isnull=True),
                name="whatsapp_alert_open",
            )
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(source__in=AlertSource.values), name="whatsapp_alert_source_known"
            ),
            models.UniqueConstraint(
                fields=("flow", "source", "event", "subject"),
                condition=Q(closed_at__isnull=True),
                name="whatsapp_alert_open_once",
            ),
        ]

    def __str__(self) -> str:
        return self.event
