"""Requests of one administrator that another must approve."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q

from tenants.models.clients import Client
from tenants.models.flows import Flow
from tenants.models.keys import Key


class ApprovalState(models.TextChoices):
    """Where a request stands."""

    PENDING = "pending", "Waits for a second person"
    APPROVED = "approved", "Approved and done"
    REFUSED = "refused", "Refused"
    WITHDRAWN = "withdrawn", "Withdrawn by who asked"
    EXPIRED = "expired", "Expired"


class ApprovalRequest(models.Model):
    """A verb that somebody asked for and a second person decides on.

    Every verb on a request stands in tenants.lifecycle.approvals; nothing else writes here.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    verb = models.CharField(max_length=64)
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="approval_requests")
    # NULL for a verb on the client itself.
    flow = models.ForeignKey(
        Flow, null=True, blank=True, on_delete=models.PROTECT, related_name="approval_requests"
    )
    # NULL until done for a verb that makes a key, such as an import.
    key = models.ForeignKey(
        Key, null=True, blank=True, on_delete=models.PROTECT, related_name="approval_requests"
    )
    #: What the verb is given, without any secret, for people to read before they decide.
    details = models.JSONField(default=dict, editable=False)
    #: The whole request as JSON, a secret to import included, sealed at rest; empty once decided.
    arguments = models.BinaryField(default=bytes, editable=False)
    reason = models.CharField(max_length=200)
    state = models.CharField(max_length=16, choices=ApprovalState, default=ApprovalState.PENDING)
    requested_by = models.CharField(max_length=150)
    #: Of tenants.actors.Actor: tells people apart where names can be changed.
    requested_by_account = models.CharField(max_length=40, editable=False)
    requested_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    decided_by = models.CharField(max_length=150, blank=True)
    decided_by_account = models.CharField(max_length=40, blank=True, editable=False)
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_note = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ("-requested_at",)
        permissions = [("decide_approvalrequest", "Can approve or refuse what another asked for")]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=ApprovalState.values), name="approval_state_known"
            ),
            models.CheckConstraint(
                condition=Q(state="pending", decided_at__isnull=True)
                | (~Q(state="pending") & Q(decided_at__isnull=False, arguments=b"")),
                name="approval_decided_has_time_and_forgets",
            ),
            models.CheckConstraint(
                condition=~Q(state="approved") | ~Q(decided_by=F("requested_by")),
                name="approval_by_somebody_else",
            ),
            models.CheckConstraint(
                condition=~Q(state="approved")
                | (
                    ~Q(requested_by_account="")
                    & ~Q(decided_by_account="")
                    & ~Q(decided_by_account=F("requested_by_account"))
                ),
                name="approval_by_another_account",
            ),
            models.CheckConstraint(
                condition=Q(flow__isnull=False) | Q(key__isnull=True),
                name="approval_of_a_key_names_its_flow",
            ),
            models.UniqueConstraint(
                fields=("key", "verb"),
                condition=Q(state="pending"),
                name="approval_pending_once",
            ),
            models.UniqueConstraint(
                fields=("client", "verb"),
                condition=Q(state="pending", flow__isnull=True),
                name="approval_pending_once_of_client",
            ),
        ]
        indexes = [
            models.Index(
                fields=("expires_at",), condition=Q(state="pending"), name="approval_pending"
            )
        ]

    def __str__(self) -> str:
        return f"asked for by {self.requested_by} on {self.requested_at:%Y-%m-%d %H:%M}"

    @property
    def at_rest_context(self) -> str:
        """Return the context that binds the arguments to this row."""
        return f"tenants.approvalrequest|{self.id}"
