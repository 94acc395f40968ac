"""What the product keeps about itself: its own secrets, the epoch, its processes."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q


class InternalSecret(models.Model):
    """A secret the product made for itself, sealed under the master key (digest keys)."""

    name = models.CharField(primary_key=True, max_length=32)
    sealed = models.BinaryField()

    class Meta:
        verbose_name = "internal secret"

    def __str__(self) -> str:
        return self.name

    @property
    def at_rest_context(self) -> str:
        """Return the context that binds the secret to this row."""
        return f"tenants.internalsecret|{self.name}"


class KeyringEpoch(models.Model):
    """One row that counts every change the hot path must notice."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    value = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="keyring_epoch_single")]

    def __str__(self) -> str:
        return str(self.value)


class ProcessReport(models.Model):
    """The last sign of life of one web or worker process, and which changes it has taken in.

    Written by the process itself every few seconds. A process that is gone stops counting when
    its report is old (tenants.rollout).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=16, help_text="web or worker.")
    host = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField(db_index=True)
    #: The keyring epoch up to which it has loaded every change.
    epoch = models.BigIntegerField(default=0)
    #: Primary keys of flows whose keys it could not load.
    cannot_load = models.JSONField(default=list)

    class Meta:
        ordering = ("kind", "host", "pid")

    def __str__(self) -> str:
        return f"{self.kind} {self.host}:{self.pid}"
