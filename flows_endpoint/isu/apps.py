"""Django's view of the ISU contract."""

from django.apps import AppConfig


class IsuConfig(AppConfig):
    """Views, operations, errors and sandbox of one contract."""

    name = "flows_endpoint.isu"
    label = "isu"
    verbose_name = "ISU sandbox"

    def ready(self) -> None:
        """Register the handlers of the sandbox's timers."""
        from flows_endpoint.isu import sandbox  # noqa: F401, PLC0415 - models must be loaded first
