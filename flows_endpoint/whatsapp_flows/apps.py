"""Django's view of the whatsapp_flows contract."""

from django.apps import AppConfig


class WhatsappFlowsConfig(AppConfig):
    """Views, operations, errors and sandbox of one contract."""

    name = "flows_endpoint.whatsapp_flows"
    label = "whatsapp_flows"
    verbose_name = "WhatsApp Flows"

    def ready(self) -> None:
        """Register what tidies up."""
        from flows_endpoint import housekeeping  # noqa: PLC0415 - models are ready only now
        from flows_endpoint.whatsapp_flows import sealings, steps  # noqa: PLC0415

        housekeeping.register("whatsapp_flows.steps", steps.forget_expired)
        housekeeping.register("whatsapp_flows.sealings", sealings.forget_ended)
