"""Django's view of the isu contract."""

from django.apps import AppConfig


class IsuConfig(AppConfig):
    """Views, operations, errors and sandbox of one contract."""

    name = "flows_endpoint.isu"
    label = "isu"
    verbose_name = "Isu sandbox"
