"""Django's view of the kairos contract."""

from django.apps import AppConfig


class KairosConfig(AppConfig):
    """Views, operations, errors and sandbox of one contract."""

    name = "flows_endpoint.kairos"
    label = "kairos"
    verbose_name = "Kairos sandbox"

    def ready(self) -> None:
        """Register the timers of the sandbox."""
        from flows_endpoint.kairos import running  # noqa: F401, PLC0415 - models exist only now
