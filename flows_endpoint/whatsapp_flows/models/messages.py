"""Forms under way with users, and the messages that were sent to them."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from tenants.models import Flow


class FlowSession(models.Model):
    """One form of one user, named by its flow token, from the first sign of it on."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="+")
    #: Keyed digest of flow and flow token.
    token_digest = models.CharField(max_length=64, unique=True)
    #: JSON of the recipient and the summary text, as far as known; sealed. Empty while neither is.
    body = models.BinaryField(default=bytes)
    recipient_tail = models.CharField(
        max_length=4, blank=True, help_text="The last characters of the user's number or id."
    )
    created_at = models.DateTimeField(db_index=True)
    succeeded_at = models.DateTimeField(
        null=True, blank=True, help_text="When the endpoint ended the form with SUCCESS."
    )
    replied_at = models.DateTimeField(
        null=True, blank=True, help_text="When the completed form arrived as a message."
    )

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return str(self.id)

    @property
    def at_rest_context(self) -> str:
        """Return the context that binds the body to this row."""
        return f"whatsapp_flows.flowsession|{self.id}"


class MessageKind(models.TextChoices):
    """What a message is for."""

    FLOW = "flow", "Opens a form"
    SUMMARY = "summary", "Summary of a completed form"
    TEXT = "text", "Text"


class MessageState(models.TextChoices):
    """How far a message has come."""

    QUEUED = "queued", "Queued"
    ACCEPTED = "accepted", "Accepted by the platform"
    SENT = "sent", "Sent"
    FAILED = "failed", "Failed"
    DELIVERED = "delivered", "Delivered"
    READ = "read", "Read"


class WhatsappMessage(models.Model):
    """One message to one user. It only ever moves on: what was read is never merely sent again."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="+")
    session = models.ForeignKey(
        FlowSession, null=True, blank=True, on_delete=models.SET_NULL, related_name="messages"
    )
    kind = models.CharField(max_length=16, choices=MessageKind)
    #: Keyed digest of what must not be sent twice; NULL where there is no such thing.
    once = models.CharField(max_length=64, null=True, unique=True, editable=False)  # noqa: DJ001
    state = models.CharField(max_length=16, choices=MessageState, default=MessageState.QUEUED)
    code = models.IntegerField(null=True, blank=True, help_text="The platform's error code.")
    error = models.CharField(max_length=64, blank=True, help_text="Class of the last failure.")
    #: Keyed digest of the id the platform gave it, which spells the user's number.
    wamid_digest = models.CharField(max_length=64, blank=True, db_index=True)
    recipient_tail = models.CharField(
        max_length=4, help_text="The last characters of the user's number or id."
    )
    #: JSON of the recipient and, until it is accepted, the message; sealed.
    body = models.BinaryField()
    created_at = models.DateTimeField(db_index=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)
        verbose_name = "WhatsApp message"
        permissions = [("send_whatsappmessage", "Can send a message that opens a form")]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=MessageKind.values), name="whatsapp_message_kind_known"
            ),
            models.CheckConstraint(
                condition=Q(state__in=MessageState.values), name="whatsapp_message_state_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def at_rest_context(self) -> str:
        """Return the context that binds the body to this row."""
        return f"whatsapp_flows.whatsappmessage|{self.id}"
