"""What the Kairos sandbox keeps: accepted requests, their calls, and each attempt at a call.

Everything a partner sent (numbers, identifiers, keys) and everything about a person's phone
is sealed at rest; in clear stand ids, states and times only.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.db import models
from django.db.models import Q

from crypto_schemes import json_text
from tenants import at_rest
from tenants.models import Flow


class FlowStatus(models.TextChoices):
    """Where a call stands, in the contract's own words."""

    SCHEDULED = "SCHEDULED", "Scheduled"
    IN_PROGRESS = "IN_PROGRESS", "In progress"
    REATTEMPT_SCHEDULED = "REATTEMPT_SCHEDULED", "Waiting for its next attempt"
    COMPLETED = "COMPLETED", "Completed"
    PARTIAL_COMPLETE = "PARTIAL_COMPLETE", "Answered and hung up early"
    REJECTED = "REJECTED", "Cancelled"
    FAILURE = "FAILURE", "Not reached"
    INVALID_CONTACT_NUMBER = "INVALID_CONTACT_NUMBER", "No number in service"
    INVALID_CALL_START_TIME = "INVALID_CALL_START_TIME", "Start date in the past"
    PHONE_NOT_WHITELISTED = "PHONE_NOT_WHITELISTED", "Not a test number"
    INTERNATIONAL_CALLS_DISABLED = "INTERNATIONAL_CALLS_DISABLED", "International calls are off"


class SealedRecord(models.Model):
    """A row with a JSON part that is sealed at rest and bound to the row."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    sealed = models.BinaryField()

    class Meta:
        abstract = True

    @property
    def at_rest_context(self) -> str:
        """Return the context that binds ``sealed`` to this row."""
        return f"kairos.{self._meta.model_name}|{self.id}"

    def seal(self, details: dict[str, Any]) -> None:
        """Set ``sealed`` to ``details``. Does not save."""
        self.sealed = at_rest.seal(json_text.compact(details), self.at_rest_context)

    def details(self) -> dict[str, Any]:
        """Return what was sealed. Raises AtRestError."""
        opened: dict[str, Any] = json.loads(at_rest.open_sealed(self.sealed, self.at_rest_context))
        return opened


class CallRequest(models.Model):
    """One accepted request; its id is the ``request-id`` of the reply."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="+")
    accepted_at = models.DateTimeField(db_index=True)
    is_test = models.BooleanField(help_text="api-version TEST: allow-listed numbers only.")
    is_dialer = models.BooleanField(help_text="Came in at the dialer's address.")
    call_count = models.PositiveSmallIntegerField()

    class Meta:
        ordering = ("-accepted_at",)
        constraints = [
            models.CheckConstraint(
                condition=Q(call_count__gte=1, call_count__lte=500), name="kairos_request_size"
            )
        ]

    def __str__(self) -> str:
        return str(self.id)


class OutboundCall(SealedRecord):
    """One call; its id is the ``phonon-uuid``.

    Sealed: ``client-identifier``, ``start-time``, ``contact-numbers`` (the valid ones) and
    ``keys``, as sent.
    """

    request = models.ForeignKey(CallRequest, on_delete=models.PROTECT, related_name="calls")
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="+")
    position = models.PositiveSmallIntegerField(help_text="Its place in the request, from 0.")
    status = models.CharField(
        max_length=32, choices=FlowStatus, default=FlowStatus.SCHEDULED, db_index=True
    )
    start_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("request", "position")
        constraints = [
            models.UniqueConstraint(fields=("request", "position"), name="kairos_call_once"),
            models.CheckConstraint(
                condition=Q(status__in=FlowStatus.values), name="kairos_call_status_known"
            ),
            models.CheckConstraint(
                condition=Q(
                    status__in=("SCHEDULED", "IN_PROGRESS", "REATTEMPT_SCHEDULED"),
                    ended_at__isnull=True,
                )
                | (
                    ~Q(status__in=("SCHEDULED", "IN_PROGRESS", "REATTEMPT_SCHEDULED"))
                    & Q(ended_at__isnull=False)
                ),
                name="kairos_call_ended_has_time",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class CallAttempt(SealedRecord):
    """One dialling of one number of a call.

    Sealed: ``call_details``, the element of the contract's ``callDetails``; ``leads_to``, the
    status of the call should this attempt be its last; ``is_worth_another``, whether the next
    number should be tried. All are settled when it starts.
    """

    call = models.ForeignKey(OutboundCall, on_delete=models.PROTECT, related_name="attempts")
    number = models.PositiveSmallIntegerField(help_text="1 for the first.")
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("call", "number")
        constraints = [
            models.UniqueConstraint(fields=("call", "number"), name="kairos_attempt_once"),
            models.CheckConstraint(condition=Q(number__gte=1), name="kairos_attempt_from_one"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class CallAllowance(models.Model):
    """How many calls of its balance a flow has used, counted while a balance is set."""

    flow = models.OneToOneField(Flow, primary_key=True, on_delete=models.PROTECT, related_name="+")
    used = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.flow_id}: {self.used}"
