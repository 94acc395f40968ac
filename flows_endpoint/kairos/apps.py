"""Django's view of the kairos contract."""

from django.apps import AppConfig


class KairosConfig(AppConfig):
    """Views, operations, errors and sandbox of one contract."""

    name = "flows_endpoint.kairos"
    label = "kairos"
    verbose_name = "Kairos sandbox"

    def ready(self) -> None:
        """Register the timers of the sandbox, and what tidies up."""
        from flows_endpoint import sandbox_retention  # noqa: PLC0415 - models exist only now
        from flows_endpoint.kairos import retention, running  # noqa: F401, PLC0415

        sandbox_retention.register("kairos", retention.forget_old)
