"""The versions of a flow's secrets, and how often each was used."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import models
from django.db.models import F, Q

from crypto_schemes.keys import key_label, short_fingerprint
from tenants.indexes import NewestFirst
from tenants.models.flows import Flow


class KeyState(models.TextChoices):
    """Where a key version stands in its life."""

    STAGED = "staged", "Staged: opens, does not seal yet"
    ACTIVE = "active", "Active: opens and seals"
    RETIRING = "retiring", "Retiring: still opens, until its time"
    RETIRED = "retired", "Retired"
    REVOKED = "revoked", "Revoked"
    DESTROYED = "destroyed", "Destroyed"


#: States in which a version may open (retiring only until ``accept_until``).
OPENING_STATES = (KeyState.STAGED, KeyState.ACTIVE, KeyState.RETIRING)
#: States from which a version never opens again.
ENDED_STATES = (KeyState.RETIRED, KeyState.REVOKED, KeyState.DESTROYED)


class Key(models.Model):
    """One version of one secret of one flow, for one purpose. Never changed, only moved on.

    Every verb on a key stands in :mod:`tenants.lifecycle`; nothing else writes here.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="keys")
    purpose = models.CharField(max_length=32)
    version = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=KeyState, default=KeyState.STAGED)
    #: Sealed by tenants.at_rest; empty once destroyed.
    material = models.BinaryField(default=bytes)
    public_pem = models.TextField(blank=True)
    #: SHA-256 of the public key, or a keyed digest of a symmetric secret; 64 hex digits.
    fingerprint = models.CharField(max_length=64)
    #: Keyed digest by which requests find their flow; empty for purposes that do not locate.
    lookup_digest = models.CharField(max_length=64, blank=True, db_index=True)
    created_at = models.DateTimeField(auto_now_add=True)
    activated_at = models.DateTimeField(null=True, blank=True)
    accept_until = models.DateTimeField(
        null=True, blank=True, help_text="When a retiring version stops opening."
    )
    ended_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was retired, revoked or destroyed."
    )
    end_reason = models.CharField(max_length=200, blank=True)
    expires_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="By when it should be replaced. Warnings come before; it goes on opening after.",
    )
    #: The lowest of the warning thresholds, in days, that was told already.
    expiry_warned_days = models.PositiveSmallIntegerField(null=True, blank=True, editable=False)
    destroy_at = models.DateTimeField(
        null=True, blank=True, help_text="When the material will be erased, unless cancelled."
    )
    #: The epoch of the keyring with which it came: a process that has read so far knows it.
    since_epoch = models.BigIntegerField(default=0, db_default=0, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True)
    use_count = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ("flow", "purpose", "-version")
        constraints = [
            models.UniqueConstraint(fields=("flow", "purpose", "version"), name="key_version_once"),
            models.UniqueConstraint(
                fields=("flow", "purpose"),
                condition=Q(state="active"),
                name="key_one_active",
            ),
            models.CheckConstraint(condition=Q(state__in=KeyState.values), name="key_state_known"),
            models.CheckConstraint(condition=Q(version__gte=1), name="key_version_from_one"),
            models.CheckConstraint(
                condition=Q(state="retiring", accept_until__isnull=False)
                | (~Q(state="retiring") & Q(accept_until__isnull=True)),
                name="key_end_while_retiring",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=("active", "retiring")) | Q(activated_at__isnull=False),
                name="key_activated_before_sealing",
            ),
            models.CheckConstraint(
                condition=Q(state__in=ENDED_STATES, ended_at__isnull=False)
                | (~Q(state__in=ENDED_STATES) & Q(ended_at__isnull=True)),
                name="key_ended_has_time",
            ),
            models.UniqueConstraint(
                fields=("lookup_digest",),
                condition=~Q(lookup_digest=""),
                name="key_locates_one_flow",
            ),
            models.CheckConstraint(
                condition=~Q(state="revoked") | ~Q(end_reason=""),
                name="key_revoked_has_reason",
            ),
            models.CheckConstraint(
                condition=Q(state="destroyed", material=b"")
                | (~Q(state="destroyed") & ~Q(material=b"")),
                name="key_material_until_destroyed",
            ),
            models.CheckConstraint(
                condition=Q(destroy_at__isnull=True) | Q(state__in=("retired", "revoked")),
                name="key_destruction_waits_after_its_end",
            ),
        ]
        indexes = [
            models.Index(F("flow"), F("state"), name="key_flow_state"),
            models.Index(fields=("created_at",), name="key_created"),
            NewestFirst("state", time="created_at", name="key_state_created"),
            NewestFirst("purpose", time="created_at", name="key_purpose_created"),
            models.Index(fields=("fingerprint",), name="key_fingerprint"),
            models.Index(
                fields=("destroy_at",),
                condition=Q(destroy_at__isnull=False),
                name="key_destroy_due",
            ),
            # What ends soon, of all that open. The state comes first: without it SQLite takes the
            # index of the states, and reads every version in force.
            models.Index(
                fields=("state", "expires_at"),
                condition=Q(expires_at__isnull=False),
                name="key_state_expiry",
            ),
            models.Index(
                fields=("state", "accept_until"),
                condition=Q(accept_until__isnull=False),
                name="key_state_end",
            ),
        ]

    def __str__(self) -> str:
        return key_label(self.purpose, self.version, self.fingerprint)

    @property
    def short_fingerprint(self) -> str:
        """Return the beginning of the fingerprint, as every page, log line and error shows it."""
        return short_fingerprint(self.fingerprint)

    @property
    def purpose_title(self) -> str:
        """Return how people call the secret, such as *API key*."""
        try:
            return self.flow.contract.purpose(self.purpose).title
        except KeyError:
            return self.purpose

    @property
    def title(self) -> str:
        """Return how people call this version, such as *API key version 2*."""
        return f"{self.purpose_title} version {self.version}"

    def opens(self, now: datetime) -> bool:
        """Return whether this version may open at ``now``."""
        if self.state not in OPENING_STATES:
            return False
        return self.accept_until is None or now < self.accept_until

    @property
    def at_rest_context(self) -> str:
        """Return the context that binds the material to this row."""
        return self.context_of(str(self.flow_id), self.purpose, self.version)

    @staticmethod
    def context_of(flow_id: str, purpose: str, version: int) -> str:
        """Return the context that binds the material to the row of this version."""
        return f"tenants.key|{flow_id}|{purpose}|{version}"


class KeyUseDay(models.Model):
    """How often a version was used on one day (UTC)."""

    key = models.ForeignKey(Key, on_delete=models.PROTECT, related_name="use_days")
    day = models.DateField()
    count = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=("key", "day"), name="key_use_day_once")]

    def __str__(self) -> str:
        return f"{self.day:%Y-%m-%d}: {self.count}"
