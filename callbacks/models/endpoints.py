"""Where a flow's deliveries go over one channel, how fast, and how it is doing."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from callbacks.channels import CALLBACK
from callbacks.validators import (
    FASTEST,
    LARGEST_BURST,
    MOST_AT_ONCE,
    validate_auth_name,
    validate_schedule,
)
from tenants.models import Flow

#: How many calls to one endpoint are under way at once, unless its row says otherwise.
DEFAULT_CONCURRENCY = 16


class EndpointState(models.TextChoices):
    """Whether anything is sent."""

    ACTIVE = "active", "Active"
    PAUSED = "paused", "Paused by an operator"
    DISABLED = "disabled", "Disabled: it failed for too long or refused for good"


class BreakerState(models.TextChoices):
    """Where the circuit breaker stands (callbacks/breaker.py)."""

    CLOSED = "closed", "Closed: deliveries flow"
    OPEN = "open", "Open: the receiver is away, nothing is sent"
    HALF_OPEN = "half_open", "Half-open: one delivery probes whether it is back"


class AuthKind(models.TextChoices):
    """How calls say who they are, beside their signature."""

    NONE = "none", "The signature alone"
    BASIC = "basic", "User name and password (HTTP Basic)"
    BEARER = "bearer", "Bearer token"
    HEADER = "header", "A header of its own"


class Endpoint(models.Model):
    """The receiver of one flow over one channel.

    The URL stands on the flow, the secrets are keys of the flow: ``callback_signing`` signs, and
    ``callback_auth`` is the password, token or header value that ``auth`` asks for.

    Claiming locks this row, so what is counted here (tokens, calls under way, the one probe of
    a half-open breaker) holds across all workers.
    """

    id = models.BigAutoField(primary_key=True)
    flow = models.ForeignKey(Flow, on_delete=models.PROTECT, related_name="endpoints")
    channel = models.CharField(max_length=32, default=CALLBACK)

    auth = models.CharField(
        "authentication", max_length=16, choices=AuthKind, default=AuthKind.NONE
    )
    auth_name = models.CharField(
        "user name or header",
        max_length=64,
        blank=True,
        validators=[validate_auth_name],
        help_text="The user name for HTTP Basic, or the name of the header.",
    )
    rate_per_second = models.FloatField(
        "calls a second",
        null=True,
        blank=True,
        validators=[MinValueValidator(0.001), MaxValueValidator(FASTEST)],
        help_text="Empty: as many as it takes.",
    )
    burst = models.PositiveIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(LARGEST_BURST)],
        help_text="How many may go at once after a silence, where calls a second are limited.",
    )
    concurrency = models.PositiveSmallIntegerField(
        "calls at once",
        default=DEFAULT_CONCURRENCY,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_AT_ONCE)],
        help_text="Calls under way at the same time, over all workers.",
    )
    is_fifo = models.BooleanField(
        "in order",
        default=False,
        help_text="One at a time, in the order they were made; each waits until the one before "
        "has arrived or failed for good. Holds for deliveries made from then on.",
    )
    schedule = models.JSONField(
        "waits, in seconds",
        default=list,
        blank=True,
        validators=[validate_schedule],
        help_text="Seconds after each failed attempt, such as [5, 60, 3600]. Empty: twelve waits "
        "over three days.",
    )

    state = models.CharField(max_length=16, choices=EndpointState, default=EndpointState.ACTIVE)
    state_reason = models.CharField(max_length=200, blank=True)
    state_at = models.DateTimeField("in this state since", default=timezone.now)
    ready_at = models.DateTimeField(
        "nothing goes before",
        default=timezone.now,
        help_text="The rate limit, the circuit breaker or the receiver (Retry-After) said so.",
    )
    tokens = models.FloatField(default=0, editable=False)
    tokens_at = models.DateTimeField(null=True, editable=False)

    breaker = models.CharField(max_length=16, choices=BreakerState, default=BreakerState.CLOSED)
    failures = models.PositiveIntegerField(
        "failures in a row", default=0, help_text="Only those that say the receiver is away."
    )
    opened_at = models.DateTimeField("breaker open since", null=True, blank=True)
    times_opened = models.PositiveIntegerField(
        default=0, help_text="How often in a row the breaker has opened without a success."
    )

    failing_since = models.DateTimeField(null=True, blank=True)
    last_failure_at = models.DateTimeField(null=True, blank=True)
    warned_days = models.PositiveSmallIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("pk",)
        permissions = [("operate_endpoint", "Can pause, resume, set up and test an endpoint")]
        constraints = [
            models.UniqueConstraint(fields=("flow", "channel"), name="endpoint_once_a_channel"),
            models.CheckConstraint(
                condition=Q(state__in=EndpointState.values), name="endpoint_state_known"
            ),
            models.CheckConstraint(
                condition=Q(breaker__in=BreakerState.values), name="endpoint_breaker_known"
            ),
            models.CheckConstraint(
                condition=Q(auth__in=AuthKind.values), name="endpoint_auth_known"
            ),
            models.CheckConstraint(
                condition=~Q(auth__in=("basic", "header")) | ~Q(auth_name=""),
                name="endpoint_auth_has_name",
                violation_error_message="HTTP Basic needs a user name, and a header its name.",
            ),
            models.CheckConstraint(
                condition=Q(concurrency__gte=1, burst__gte=1), name="endpoint_lets_one_through"
            ),
            models.CheckConstraint(
                condition=Q(rate_per_second__isnull=True) | Q(rate_per_second__gt=0),
                name="endpoint_rate_above_zero",
            ),
            models.CheckConstraint(
                condition=Q(breaker="closed", opened_at__isnull=True)
                | (~Q(breaker="closed") & Q(opened_at__isnull=False)),
                name="endpoint_open_has_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.flow} {self.channel}"
