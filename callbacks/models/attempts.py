"""How each attempt went."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from django.db import models

from callbacks.models.deliveries import Delivery
from callbacks.models.endpoints import Endpoint

#: Longest text of what to do about a failure.
WHY: Final = 200


class Attempt(models.Model):
    """One attempt of one delivery.

    The phases are milliseconds, one after the other: name look-up, TCP connection, TLS
    handshake, until the first byte of the answer, until its last. An attempt over a connection
    that was kept has neither of the first three.
    """

    delivery = models.ForeignKey(
        Delivery, on_delete=models.CASCADE, related_name="tries", db_index=False
    )
    endpoint = models.ForeignKey(
        Endpoint, on_delete=models.PROTECT, related_name="tries", db_index=False
    )
    number = models.PositiveIntegerField(help_text="As the delivery counts its attempts.")
    started_at = models.DateTimeField()
    dns_ms = models.FloatField(null=True, blank=True)
    connect_ms = models.FloatField(null=True, blank=True)
    tls_ms = models.FloatField(null=True, blank=True)
    first_byte_ms = models.FloatField(null=True, blank=True)
    rest_ms = models.FloatField(null=True, blank=True)
    total_ms = models.FloatField(null=True, blank=True)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    error = models.CharField(max_length=64, blank=True, help_text="Empty: the receiver took it.")
    #: Workers of the version before know no such column.
    why = models.CharField(
        max_length=WHY, blank=True, db_default="", help_text="What to do about it, if known."
    )
    #: The first bytes of the answer with secrets masked (callbacks/masking.py), sealed at rest:
    #: receivers repeat what they were sent, and that is personal data.
    answer = models.BinaryField(default=bytes, blank=True)
    worker = models.CharField(max_length=80, blank=True)

    class Meta:
        ordering = ("delivery", "number")
        permissions = [("read_answer", "Can read what receivers answered")]
        indexes = [models.Index(fields=("endpoint", "started_at"), name="attempt_endpoint_time")]
        constraints = [
            models.UniqueConstraint(fields=("delivery", "number"), name="attempt_number_once")
        ]

    def __str__(self) -> str:
        return f"{self.delivery_id} attempt {self.number}"

    @property
    def at_rest_context(self) -> str:
        """Return the context that binds the answer to this row."""
        return answer_context(self.delivery_id, self.number)


def answer_context(delivery_id: UUID, number: int) -> str:
    """Return the context that binds the answer of an attempt to its row."""
    return f"callbacks.attempt|{delivery_id}|{number}"
