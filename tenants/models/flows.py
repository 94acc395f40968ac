"""Integrations of a client over a contract."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models
from django.db.models import Q

from crypto_schemes import registry
from crypto_schemes.scheme import Scheme
from tenants.models.clients import Client
from tenants.validators import validate_address, validate_networks, validate_outbound_url


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
