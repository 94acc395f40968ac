"""What the data endpoint leaves behind: replies to give again, marks, reports, appointments."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from tenants.models import Flow, Key


class StepReply(models.Model):
    """The first reply to one step of a user, for the phone's retry button.

    An empty ``reply`` is a step still being served by ``owner``; past ``expires_at`` the row
    means nothing any more and may be taken over.
    """

    #: Keyed digest of flow, token, screen and data.
    name = models.CharField(max_length=64, primary_key=True)
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="+")
    owner = models.CharField(max_length=32)
    reply = models.BinaryField(default=bytes)
    expires_at = models.FloatField(db_index=True, help_text="Unix seconds.")

    class Meta:
        verbose_name = "step reply"
        verbose_name_plural = "step replies"

    def __str__(self) -> str:
        return self.name[:12]

    @property
    def at_rest_context(self) -> str:
        """Return the context that binds the reply to this row."""
        return self.context_of(self.name)

    @staticmethod
    def context_of(name: str) -> str:
        """Return that context of the row called ``name``."""
        return f"whatsapp_flows.stepreply|{name}"


class SealMark(models.Model):
    """That something was sealed under the AES key and IV of one request, and what."""

    #: Keyed digest of the AES key and IV.
    name = models.CharField(max_length=64, primary_key=True)
    #: SHA-256 of the sealed reply as it went out.
    reply_digest = models.CharField(max_length=64)
    #: The RSA version that opened the request.
    key = models.ForeignKey(Key, on_delete=models.PROTECT, related_name="+")

    def __str__(self) -> str:
        return self.name[:12]


class ErrorKind(models.TextChoices):
    """What a phone complains about."""

    DECRYPTION = "response-decryption-error", "It could not decrypt our reply"
    TRANSITION = "invalid-screen-transition", "Our screen may not follow"
    SCHEMA = "payload-schema-error", "Our data does not fit the screen"
    COMPONENTS = "components-validation-error", "A component refuses our data"
    OTHER = "other", "Other"


class ErrorReport(models.Model):
    """A phone's report that it could not use an earlier reply."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=32, choices=ErrorKind)
    #: JSON of key, message and screen, sealed.
    body = models.BinaryField()
    received_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ("-received_at",)
        verbose_name = "error report"
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=ErrorKind.values), name="whatsapp_error_kind_known"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def at_rest_context(self) -> str:
        """Return the context that binds the body to this row."""
        return f"whatsapp_flows.errorreport|{self.id}"


class Appointment(models.Model):
    """An appointment booked through the sandbox's form."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="+")
    #: Keyed digest of flow, branch, date and time: a slot is given away once.
    slot_digest = models.CharField(max_length=64, unique=True)
    #: Keyed digest of flow and flow token; empty where the phone sent no token of its own.
    token_digest = models.CharField(max_length=64, blank=True)
    #: JSON of what was booked and for whom, sealed.
    body = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("-created_at",)
        constraints = [
            models.UniqueConstraint(
                fields=("token_digest",),
                condition=~Q(token_digest=""),
                name="whatsapp_token_books_once",
            )
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def at_rest_context(self) -> str:
        """Return the context that binds the body to this row."""
        return f"whatsapp_flows.appointment|{self.id}"
