"""Records of the ISU sandbox: states and times in clear, everything a partner sent sealed."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.db import models
from django.db.models import Q

from crypto_schemes import json_text
from tenants import at_rest, digests
from tenants.models import Flow


class Record(models.Model):
    """One accepted transaction. ``reference_digest`` makes the partner's reference unique."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="+")
    reference_digest = models.CharField(
        max_length=64, help_text="Keyed digest of the partner's reference."
    )
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    #: What was sent and what came of it, as JSON sealed by tenants.at_rest.
    sealed = models.BinaryField()

    class Meta:
        abstract = True

    @property
    def transaction_id(self) -> str:
        """Return the id the partner knows it by: 32 hex digits."""
        return self.id.hex

    @property
    def at_rest_context(self) -> str:
        """Return the context that binds the sealed part to this row."""
        return f"{self._meta.db_table}|{self.flow_id}|{self.id}"

    def put(self, details: dict[str, Any]) -> None:
        """Seal ``details`` into the row; saving is up to the caller."""
        self.sealed = at_rest.seal(json_text.compact(details), self.at_rest_context)

    def details(self) -> dict[str, Any]:
        """Return the sealed details. Raises AtRestError."""
        opened: dict[str, Any] = json.loads(at_rest.open_sealed(self.sealed, self.at_rest_context))
        return opened


def reference_digest(kind: str, flow_id: str, reference: str) -> str:
    """Return the digest under which a partner's reference is unique within its flow."""
    return digests.lookup_digest("isu", f"{kind}|{flow_id}", reference)


class PayoutState(models.TextChoices):
    """The ``status`` of a payout."""

    SUCCESS = "SUCCESS", "Success"
    INPROGRESS = "INPROGRESS", "In progress"
    FAILED = "FAILED", "Failed: no money moved"
    REFUNDED = "REFUNDED", "Failed later: money came back"


class Payout(Record):
    """One payout."""

    state = models.CharField(max_length=16, choices=PayoutState)

    class Meta:
        ordering = ("-created_at",)
        constraints = [
            models.UniqueConstraint(
                fields=("flow", "reference_digest"), name="isu_payout_reference_once"
            ),
            models.CheckConstraint(
                condition=Q(state__in=PayoutState.values), name="isu_payout_state_known"
            ),
            models.CheckConstraint(
                condition=Q(state="INPROGRESS", ended_at__isnull=True)
                | (~Q(state="INPROGRESS") & Q(ended_at__isnull=False)),
                name="isu_payout_ends_once",
            ),
        ]
        indexes = [models.Index(fields=("flow", "-created_at"), name="isu_payout_flow_at")]

    def __str__(self) -> str:
        return f"{self.transaction_id} {self.state}"


class CollectionState(models.TextChoices):
    """Where a UPI collection stands."""

    INITIATED = "INITIATED", "Waits for the payer"
    SUCCESS = "SUCCESS", "Paid"
    FAILED = "FAILED", "Refused by the payer's bank"
    EXPIRED = "EXPIRED", "Nobody paid in time"


class Collection(Record):
    """One dynamic UPI transaction: a QR picture or link that somebody may pay."""

    state = models.CharField(max_length=16, choices=CollectionState)

    class Meta:
        ordering = ("-created_at",)
        constraints = [
            models.UniqueConstraint(
                fields=("flow", "reference_digest"), name="isu_collection_reference_once"
            ),
            models.CheckConstraint(
                condition=Q(state__in=CollectionState.values), name="isu_collection_state_known"
            ),
            models.CheckConstraint(
                condition=Q(state="INITIATED", ended_at__isnull=True)
                | (~Q(state="INITIATED") & Q(ended_at__isnull=False)),
                name="isu_collection_ends_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.transaction_id} {self.state}"
