"""Django's view of the citcall contract."""

from django.apps import AppConfig


class CitcallConfig(AppConfig):
    """Views, operations, errors and sandbox of one contract."""

    name = "flows_endpoint.citcall"
    label = "citcall"
    verbose_name = "Citcall sandbox"
