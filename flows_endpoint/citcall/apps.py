"""Django's view of the citcall contract."""

from django.apps import AppConfig


class CitcallConfig(AppConfig):
    """Views, operations, errors and sandbox of one contract."""

    name = "flows_endpoint.citcall"
    label = "citcall"
    verbose_name = "CitCall sandbox"

    def ready(self) -> None:
        """Register what the contract's timers run, and what tidies up."""
        from flows_endpoint import sandbox_retention, timers  # noqa: PLC0415 - models load only now
        from flows_endpoint.citcall import repeats, retention, sandbox  # noqa: PLC0415

        timers.handler(sandbox.END_CALL)(sandbox.end_call)
        timers.handler(repeats.FORGET)(repeats.forget)
        sandbox_retention.register("citcall", retention.forget_old)
