"""Django's view of the tenants app."""

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    """Clients, flows and keys."""

    name = "tenants"
    verbose_name = "Clients, flows and keys"
