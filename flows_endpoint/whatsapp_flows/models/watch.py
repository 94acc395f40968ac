"""What is watched of a flow: the key the platform hands out, and how the endpoint does."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from tenants.models import Flow, Key


class KeyVerdict(models.TextChoices):
    """What the platform's public key is to us."""

    ACTIVE = "active", "The active version"
    STAGED = "staged", "A staged version: promote it"
    OLD = "old", "A version that ends soon: upload the active one"
    FOREIGN = "foreign", "Not a key of this flow: nothing can be opened"
    MISMATCH = "mismatch", "Signature mismatch: upload it again"
    MISSING = "missing", "None was uploaded"
    UNKNOWN = "unknown", "Not known yet"


class PhoneKey(models.Model):
    """The public key of a flow's phone number at the platform, as it was last read back."""

    flow = models.OneToOneField(Flow, primary_key=True, on_delete=models.PROTECT, related_name="+")
    phone_number_id = models.CharField(max_length=32)
    fingerprint = models.CharField(max_length=64, blank=True)
    signature_status = models.CharField(max_length=32, blank=True)
    verdict = models.CharField(max_length=16, choices=KeyVerdict)
    checked_at = models.DateTimeField(
        null=True, blank=True, help_text="When the platform last told it."
    )
    error = models.CharField(max_length=64, blank=True, help_text="Why the last look failed.")
    uploaded_at = models.DateTimeField(null=True, blank=True)
    uploaded = models.ForeignKey(
        Key, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        verbose_name = "public key at Meta"
        verbose_name_plural = "public keys at Meta"
        permissions = [("upload_phonekey", "Can upload a public key")]
        constraints = [
            models.CheckConstraint(
                condition=Q(verdict__in=KeyVerdict.values), name="whatsapp_key_verdict_known"
            )
        ]

    def __str__(self) -> str:
        return self.phone_number_id


class FlowHealth(models.Model):
    """How a flow's endpoint does by the measures the platform watches, as last computed.

    A level is how many marks are passed: half of each threshold, and each threshold.
    """

    flow = models.OneToOneField(Flow, primary_key=True, on_delete=models.PROTECT, related_name="+")
    computed_at = models.DateTimeField()
    requests = models.PositiveIntegerField(help_text="Within half an hour, at most the latest few.")
    errors = models.PositiveIntegerField()
    p50 = models.FloatField(null=True, blank=True, help_text="Milliseconds.")
    p90 = models.FloatField(null=True, blank=True, help_text="Milliseconds.")
    recent = models.PositiveIntegerField(help_text="Requests within ten minutes.")
    recent_errors = models.PositiveIntegerField()
    error_level = models.PositiveSmallIntegerField(default=0)
    latency_level = models.PositiveSmallIntegerField(default=0)
    availability_level = models.PositiveSmallIntegerField(default=0)
    worst_level = models.PositiveSmallIntegerField(default=0, db_index=True)

    class Meta:
        verbose_name = "endpoint health"
        verbose_name_plural = "endpoint health"

    def __str__(self) -> str:
        return f"level {self.worst_level}"


class MediaFile(models.Model):
    """A file a user attached, offered to the service behind the flow until it expires.

    What it takes to get and open the file is sealed in ``body``; the file itself is never kept.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="+")
    #: Keyed digest of the ticket that opens it.
    ticket_digest = models.CharField(max_length=64)
    #: JSON of the entry as the phone sent it, sealed.
    body = models.BinaryField()
    request_id = models.CharField(max_length=64)
    expires_at = models.DateTimeField(db_index=True)
    fetched_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "attached file"

    def __str__(self) -> str:
        return str(self.id)

    @property
    def at_rest_context(self) -> str:
        """Return the context that binds the body to this row."""
        return f"whatsapp_flows.mediafile|{self.id}"
