"""What every contract shares: the exchange log, replay marks, attempt counts and timers."""

from __future__ import annotations

import uuid

from django.db import models

from tenants.indexes import NewestFirst
from tenants.models import Flow


class Outcome(models.TextChoices):
    """How an exchange ended."""

    OK = "ok", "Served"
    REFUSED = "refused", "Refused: the partner's doing"
    FAILED = "failed", "Failed: ours or the upstream's doing"


#: Of rows that were not served: the condition of the indexes that served ones need not pay for.
#: SQLite takes such an index for a query that says the same, word for word.
NOT_SERVED = ~models.Q(outcome=Outcome.OK)


class ExchangeRow(models.Model):
    """One request and what became of it. Never holds plaintext, cipher text or a secret."""

    at = models.DateTimeField(db_index=True)
    request_id = models.CharField(max_length=64)
    flow = models.ForeignKey(
        Flow,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="exchanges",
        db_index=False,  # exchange_flow_at serves
    )
    scheme = models.CharField(max_length=32)
    operation = models.CharField(max_length=64)
    source = models.GenericIPAddressField(null=True, blank=True)
    outcome = models.CharField(max_length=8, choices=Outcome)
    reason = models.CharField(max_length=32, blank=True, help_text="Why it was not served.")
    step = models.CharField(
        max_length=64, blank=True, help_text="Where opening stopped. Never told to the partner."
    )
    code = models.CharField(max_length=64, blank=True, help_text="The contract's own code.")
    http_status = models.PositiveSmallIntegerField()
    key_versions = models.CharField(max_length=200, blank=True, help_text="Which versions opened.")
    milliseconds = models.FloatField()
    request_size = models.PositiveIntegerField(help_text="Bytes of the request body.")
    request_digest = models.CharField(
        max_length=64, blank=True, help_text="SHA-256 of the request body as sent."
    )

    class Meta:
        ordering = ("-id",)
        verbose_name = "exchange"
        # One for each way the list may be narrowed; tests/scale holds them to it.
        indexes = [
            models.Index(fields=("request_id",), name="exchange_request_id"),
            models.Index(fields=("flow", "-at"), name="exchange_flow_at"),
            NewestFirst("flow", "outcome", name="exchange_flow_outcome"),
            NewestFirst("scheme", "outcome", name="exchange_scheme_outcome"),
            NewestFirst("flow", "reason", name="exchange_flow_reason", condition=NOT_SERVED),
            NewestFirst("scheme", "reason", name="exchange_scheme_reason", condition=NOT_SERVED),
        ]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(outcome__in=Outcome.values), name="exchange_outcome_known"
            )
        ]

    def __str__(self) -> str:
        return f"{self.request_id} {self.outcome}"


class TrafficCount(models.Model):
    """The requests of ten minutes that are over, counted once (flows_endpoint.traffic)."""

    since = models.DateTimeField(primary_key=True, help_text="When they began.")
    counts = models.JSONField(help_text="By contract, then by outcome.")

    def __str__(self) -> str:
        return f"{self.since:%Y-%m-%d %H:%M}"


class ReplayMark(models.Model):
    """Something that must not be seen twice before ``expires_at``."""

    name = models.CharField(max_length=64, primary_key=True)
    owner = models.CharField(max_length=32)
    expires_at = models.FloatField(db_index=True, help_text="Unix seconds.")

    def __str__(self) -> str:
        return self.name


class AttemptCount(models.Model):
    """Failed attempts of one caller within one window of time."""

    name = models.CharField(max_length=64, primary_key=True)
    count = models.PositiveIntegerField(default=0)
    expires_at = models.FloatField(db_index=True, help_text="Unix seconds.")

    def __str__(self) -> str:
        return self.name


class Timer(models.Model):
    """Work of a sandbox that is due later. Done in the transaction that deletes the row."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=64, help_text="Names the handler.")
    subject = models.CharField(max_length=64, help_text="The row the work is about.")
    due_at = models.DateTimeField(db_index=True)
    failures = models.PositiveSmallIntegerField(default=0)
    traceparent = models.CharField(
        max_length=55, blank=True, default="", editable=False, help_text="The trace it was set in."
    )

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"


class WorkerHeartbeat(models.Model):
    """The last sign of life of the worker side, for the readiness probe."""

    name = models.CharField(max_length=64, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
