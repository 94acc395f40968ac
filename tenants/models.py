"""Clients, their flows, the versions of their secrets, and the record of what was done to them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from crypto_schemes import registry
from crypto_schemes.scheme import Scheme
from tenants.validators import validate_address, validate_networks, validate_outbound_url


class Client(models.Model):
    """A partner organisation (a tenant)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(
        max_length=64, unique=True, help_text="Short name used on the command line and in logs."
    )
    name = models.CharField(max_length=200)
    contact_email = models.EmailField(blank=True, help_text="Whom to tell about rotations.")
    notes = models.TextField(blank=True)
    is_enabled = models.BooleanField(
        default=True, help_text="Off: every flow of this client refuses at once."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("slug",)

    def __str__(self) -> str:
        return self.name or self.slug


def scheme_choices() -> list[tuple[str, str]]:
    """Return the contracts there are, for a form; adding one needs no migration."""
    return [(scheme.name, scheme.title) for scheme in registry.all_schemes()]


def _is_http_or_empty(name: str) -> Q:
    return (
        Q(**{name: ""})
        | Q(**{f"{name}__startswith": "http://"})
        | Q(**{f"{name}__startswith": "https://"})
    )


class Backend(models.TextChoices):
    """Who does the business behind a flow."""

    SANDBOX = "sandbox", "Sandbox: behaves like the vendor's service"
    UPSTREAM = "upstream", "Upstream: POST plain JSON to your own service"
    PYTHON = "python", "Python class by dotted path"


class Flow(models.Model):
    """One integration of one client over one contract."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    client = models.ForeignKey(Client, on_delete=models.PROTECT, related_name="flows")
    scheme = models.CharField(
        max_length=32,
        choices=scheme_choices,
        help_text="The contract. Cannot be changed later.",
    )
    address = models.CharField(
        max_length=64,
        validators=[validate_address],
        help_text="Unique within the contract; part of the URL or of the partner's user id. "
        "Cannot be changed later.",
    )
    # NULL means: requests find the flow by a secret.
    wire_id = models.CharField(  # noqa: DJ001
        max_length=64,
        null=True,
        editable=False,
        help_text="What requests name the flow by.",
    )
    identity = models.JSONField(
        default=dict, editable=False, help_text="Public names of the contract."
    )
    options = models.JSONField(default=dict, blank=True)
    backend = models.CharField(max_length=16, choices=Backend, default=Backend.SANDBOX)
    backend_class = models.CharField(
        max_length=200, blank=True, help_text="Dotted path, for the Python backend."
    )
    # Not URLField: that refuses the one-word host names of internal networks.
    upstream_url = models.CharField(
        max_length=500,
        blank=True,
        validators=[validate_outbound_url],
        help_text="Where the upstream backend posts the opened JSON.",
    )
    callback_url = models.CharField(
        max_length=500,
        blank=True,
        validators=[validate_outbound_url],
        help_text="Where results are posted. Empty: none are sent.",
    )
    allowed_networks = models.JSONField(
        default=list,
        blank=True,
        validators=[validate_networks],
        help_text='Source networks, such as ["203.0.113.0/24", "2001:db8::/32"]. '
        "Empty: any address may call.",
    )
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    changed_epoch = models.BigIntegerField(default=0, editable=False, db_index=True)

    class Meta:
        ordering = ("client__slug", "scheme", "address")
        constraints = [
            models.UniqueConstraint(fields=("scheme", "address"), name="flow_address_once"),
            models.UniqueConstraint(fields=("scheme", "wire_id"), name="flow_wire_id_once"),
            models.CheckConstraint(condition=~Q(scheme=""), name="flow_scheme_not_empty"),
            models.CheckConstraint(
                condition=Q(backend__in=Backend.values), name="flow_backend_known"
            ),
            models.CheckConstraint(
                condition=~Q(backend=Backend.UPSTREAM) | ~Q(upstream_url=""),
                name="flow_upstream_has_url",
                violation_error_message="The upstream backend needs an upstream URL.",
            ),
            models.CheckConstraint(
                condition=~Q(backend=Backend.PYTHON) | ~Q(backend_class=""),
                name="flow_python_has_class",
                violation_error_message="The Python backend needs a dotted path.",
            ),
            models.CheckConstraint(
                condition=Q(wire_id__isnull=True) | ~Q(wire_id=""), name="flow_wire_id_not_empty"
            ),
            models.CheckConstraint(
                condition=_is_http_or_empty("upstream_url"), name="flow_upstream_url_http"
            ),
            models.CheckConstraint(
                condition=_is_http_or_empty("callback_url"), name="flow_callback_url_http"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scheme} {self.address}"

    @property
    def contract(self) -> Scheme[Any]:
        """Return the scheme object of the flow."""
        return registry.get(self.scheme)

    @property
    def main_path(self) -> str:
        """Return the path of the contract's main operation. Raises OptionsError."""
        return self.contract.main_path(
            self.address, self.contract.options_type.from_mapping(self.options)
        )


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
        ]
        indexes = [models.Index(F("flow"), F("state"), name="key_flow_state")]

    def __str__(self) -> str:
        return f"{self.purpose} v{self.version}"

    @property
    def title(self) -> str:
        """Return how people call this version, such as *API key version 2*."""
        try:
            title = self.flow.contract.purpose(self.purpose).title
        except KeyError:
            title = self.purpose
        return f"{title} version {self.version}"

    def opens(self, now: datetime) -> bool:
        """Return whether this version may open at ``now``."""
        if self.state not in OPENING_STATES:
            return False
        return self.accept_until is None or now < self.accept_until

    @property
    def at_rest_context(self) -> str:
        """Return the context that binds the material to this row."""
        return f"tenants.key|{self.flow_id}|{self.purpose}|{self.version}"


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


class AuditEntry(models.Model):
    """Who did what to which client, flow or key, written with the change itself.

    Numbered without gaps, chained by keyed digests, never changed: tenants.audit_chain appends,
    and nothing else writes here.
    """

    at = models.DateTimeField(default=timezone.now, db_index=True)
    actor = models.CharField(max_length=150)
    actor_address = models.GenericIPAddressField(null=True, blank=True)
    verb = models.CharField(max_length=64)
    client = models.ForeignKey(Client, null=True, blank=True, on_delete=models.PROTECT)
    flow = models.ForeignKey(Flow, null=True, blank=True, on_delete=models.PROTECT)
    key = models.ForeignKey(Key, null=True, blank=True, on_delete=models.PROTECT)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    reason = models.CharField(max_length=200, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    #: Digest of the entry before; empty in the first.
    previous_digest = models.CharField(max_length=64, blank=True, editable=False)
    #: Keyed digest of everything above and the number; 64 hex digits.
    digest = models.CharField(max_length=64, editable=False)

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "audit entries"
        constraints = [
            models.CheckConstraint(condition=~Q(digest=""), name="audit_entry_is_chained")
        ]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor} {self.verb}"


class AuditHead(models.Model):
    """One row that says how long the audit trail is; its lock is the right to append."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    length = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="audit_head_single")]

    def __str__(self) -> str:
        return str(self.length)
