"""Django's view of the flynn contract."""

from django.apps import AppConfig


class FlynnConfig(AppConfig):
    """Views, operations, errors and sandbox of one contract."""

    name = "flows_endpoint.flynn"
    label = "flynn"
    verbose_name = "Flynn sandbox"

    def ready(self) -> None:
        """Register what tidies up."""
        from flows_endpoint import sandbox_retention  # noqa: PLC0415 - models exist only now
        from flows_endpoint.flynn import retention  # noqa: PLC0415

        sandbox_retention.register("flynn", retention.forget_old)
