"""Django's view of the kairos contract."""

from django.apps import AppConfig


class KairosConfig(AppConfig):
    """Views, operations, errors and sandbox of one contract."""

    name = "flows_endpoint.kairos"
    label = "kairos"
    verbose_name = "Kairos sandbox"
