"""The users' sessions, and the invoices and e-way bills of the sandbox.

What came inside requests is sealed at rest; rows are found by keyed digests. Numbers that
the sandbox itself gave out stand in clear.
"""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q

from tenants.models import Flow


class Account(models.Model):
    """The user of a flow, made at the first log-in."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    flow = models.OneToOneField(Flow, on_delete=models.PROTECT, related_name="flynn_account")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return str(self.id)


class SessionEnd(models.TextChoices):
    """Why a session was ended before its time."""

    LOGGED_OUT = "logged_out", "Logged out"
    FAILED_OPENINGS = "failed_openings", "Too many requests did not open"


class UserSession(models.Model):
    """What a log-in began: lives until it expires or is ended, through all renewals."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="sessions")
    key_id = models.UUIDField(help_text="The password version it was begun with.")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(help_text="End of its newest token.")
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=16, choices=SessionEnd, blank=True)
    failed_openings = models.PositiveIntegerField(
        default=0, help_text="Requests whose encrypted headers did not open."
    )

    class Meta:
        ordering = ("-created_at",)
        indexes = [models.Index(fields=("account", "expires_at"), name="flynn_session_live")]
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, end_reason="")
                | (Q(ended_at__isnull=False) & ~Q(end_reason="")),
                name="flynn_session_end_has_reason",
            ),
            models.CheckConstraint(
                condition=Q(end_reason__in=["", *SessionEnd.values]),
                name="flynn_session_end_known",
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Portal(models.TextChoices):
    """The government's portals behind the contract."""

    IRP = "irp", "Invoice registration portal"
    EWB = "ewb", "E-way bill portal"


class PortalSession(models.Model):
    """A portal that took a password not long ago and lets calls without one pass."""

    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="+")
    portal = models.CharField(max_length=3, choices=Portal)
    #: Keyed digest of GSTIN and user name.
    user_digest = models.CharField(max_length=64)
    key_id = models.UUIDField(
        null=True, blank=True, help_text="The password version that was sent, where we know it."
    )
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ("-expires_at",)
        constraints = [
            models.UniqueConstraint(
                fields=("flow", "portal", "user_digest"), name="flynn_portal_session_once"
            ),
            models.CheckConstraint(
                condition=Q(portal__in=Portal.values), name="flynn_portal_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.portal} until {self.expires_at:%Y-%m-%d %H:%M}"


class Status(models.TextChoices):
    """Where a document stands; the values are the contract's."""

    ACTIVE = "ACT", "Active"
    CANCELLED = "CNL", "Cancelled"


_CANCELLED_HAS_TIME = Q(status=Status.ACTIVE, cancelled_at__isnull=True) | Q(
    status=Status.CANCELLED, cancelled_at__isnull=False
)


class Invoice(models.Model):
    """An invoice that was given an IRN."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="flynn_invoices")
    #: Keyed digest: an IRN is a plain hash of tax number and document number.
    irn_digest = models.CharField(max_length=64)
    ack_no = models.BigIntegerField("acknowledgement number")
    #: JSON: the reply the partner got, and what an e-way bill takes over; sealed at rest.
    record = models.BinaryField()
    status = models.CharField(max_length=3, choices=Status, default=Status.ACTIVE)
    created_at = models.DateTimeField()
    cancelled_at = models.DateTimeField(null=True, blank=True)
    cancel_reason = models.PositiveSmallIntegerField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)
        constraints = [
            models.UniqueConstraint(fields=("flow", "irn_digest"), name="flynn_irn_once"),
            models.CheckConstraint(
                condition=_CANCELLED_HAS_TIME, name="flynn_invoice_cancelled_has_time"
            ),
        ]

    def __str__(self) -> str:
        return str(self.ack_no)

    @property
    def at_rest_context(self) -> str:
        """Return the context that binds the record to this row."""
        return f"flynn.invoice|{self.id}"


class EwayBill(models.Model):
    """An e-way bill: goods on their way, with an end of validity once a vehicle is known."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="flynn_eway_bills")
    number = models.BigIntegerField(help_text="12 digits.")
    #: Keyed digest of sender, document type, number and financial year.
    document_digest = models.CharField(max_length=64)
    invoice = models.ForeignKey(
        Invoice, null=True, blank=True, on_delete=models.PROTECT, related_name="eway_bills"
    )
    #: JSON: goods, parties, distance, transporter and vehicles; sealed at rest.
    record = models.BinaryField()
    status = models.CharField(max_length=3, choices=Status, default=Status.ACTIVE)
    created_at = models.DateTimeField()
    valid_until = models.DateTimeField(
        null=True, blank=True, help_text="Empty until a vehicle or transport document is known."
    )
    extended_times = models.PositiveSmallIntegerField(default=0)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    cancel_reason = models.PositiveSmallIntegerField(null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)
        verbose_name = "e-way bill"
        indexes = [models.Index(F("invoice"), F("status"), name="flynn_eway_invoice_status")]
        constraints = [
            models.UniqueConstraint(fields=("flow", "number"), name="flynn_eway_number_once"),
            models.UniqueConstraint(
                fields=("flow", "document_digest"),
                condition=Q(status="ACT"),
                name="flynn_eway_one_active_a_document",
            ),
            models.CheckConstraint(
                condition=_CANCELLED_HAS_TIME, name="flynn_eway_cancelled_has_time"
            ),
            models.CheckConstraint(
                condition=Q(number__gte=100_000_000_000, number__lte=999_999_999_999),
                name="flynn_eway_number_has_12_digits",
            ),
        ]

    def __str__(self) -> str:
        return str(self.number)

    @property
    def at_rest_context(self) -> str:
        """Return the context that binds the record to this row."""
        return f"flynn.eway_bill|{self.id}"
