"""What the operators of the installation are still to be told by e-mail."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class OperatorNotice(models.Model):
    """One thing to tell; written with what it tells of, deleted once the mail is out."""

    made_at = models.DateTimeField(default=timezone.now)
    title = models.CharField(max_length=200)
    text = models.TextField()
    #: When it may be sent: now, or when whoever is sending it must be thought dead.
    next_attempt_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return self.title
