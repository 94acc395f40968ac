"""The calls the sandbox placed, and the first reply to each client unique id.

Telephone numbers, one-time passwords and the partner's own ids are sealed at rest; rows are
found by keyed digests.
"""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from tenants.models import Flow


class CallState(models.TextChoices):
    """Where a missed call stands."""

    QUEUED = "queued", "Queued: accepted, the phone has not rung yet"
    ENDED = "ended", "Ended: the outcome is known"


class MissedCall(models.Model):
    """One call of the sandbox, from the request to its outcome."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="missed_calls")
    trxid = models.CharField("transaction id", max_length=26)
    number_digest = models.CharField(max_length=64, help_text="Keyed digest of the called number.")
    ordinal = models.PositiveIntegerField(help_text="How many calls to this number, this included.")
    #: JSON: msisdn, token, gateway, clientUniqueId where one was sent; sealed at rest.
    details = models.BinaryField()
    state = models.CharField(max_length=8, choices=CallState, default=CallState.QUEUED)
    dial_code = models.PositiveSmallIntegerField(null=True, blank=True, help_text="SIP code.")
    call_status = models.CharField(max_length=16, blank=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)
        constraints = [
            models.UniqueConstraint(fields=("flow", "trxid"), name="missed_call_trxid_once"),
            # Calls to one number form a line, so that "the one before" is never in doubt.
            models.UniqueConstraint(
                fields=("flow", "number_digest", "ordinal"), name="missed_call_one_after_another"
            ),
            models.CheckConstraint(
                condition=Q(state="queued", ended_at__isnull=True, dial_code__isnull=True)
                | Q(state="ended", ended_at__isnull=False, dial_code__isnull=False),
                name="missed_call_ended_has_outcome",
            ),
        ]

    def __str__(self) -> str:
        return self.trxid

    @property
    def at_rest_context(self) -> str:
        """Return the context that binds the details to this row."""
        return f"citcall.missed_call|{self.id}"


class CalledNumber(models.Model):
    """A number the sandbox called. Its row is the lock that calls to one number take in turn."""

    #: Keyed digest of flow and number.
    digest = models.CharField(max_length=64, primary_key=True)
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="+")
    last_call_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.digest[:12]


class FirstReply(models.Model):
    """What the first request with a client unique id was answered; repeats get it again."""

    #: Keyed digest of flow and client unique id.
    digest = models.CharField(max_length=64, primary_key=True)
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="+")
    #: The JSON of the reply before the contract seals it; sealed at rest.
    reply = models.BinaryField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ("-created_at",)
        verbose_name_plural = "first replies"

    def __str__(self) -> str:
        return self.digest[:12]

    @property
    def at_rest_context(self) -> str:
        """Return the context that binds the reply to this row."""
        return f"citcall.first_reply|{self.digest}"
