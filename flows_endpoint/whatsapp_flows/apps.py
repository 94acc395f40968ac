"""Django's view of the whatsapp_flows contract."""

from django.apps import AppConfig


class WhatsappFlowsConfig(AppConfig):
    """Views, operations, errors and sandbox of one contract."""

    name = "flows_endpoint.whatsapp_flows"
    label = "whatsapp_flows"
    verbose_name = "WhatsApp Flows"

    def ready(self) -> None:
        """Register the way out of messages, what tidies up, and what pages show."""
        from callbacks import channels  # noqa: PLC0415 - models are ready only now
        from flows_endpoint import attention, housekeeping, sandbox_retention  # noqa: PLC0415
        from flows_endpoint.whatsapp_flows import (  # noqa: PLC0415
            overview,
            panel,
            retention,
            sealings,
            steps,
        )
        from flows_endpoint.whatsapp_flows.channel import WhatsappChannel  # noqa: PLC0415
        from tenants import flow_panels  # noqa: PLC0415

        channels.register(WhatsappChannel())
        attention.register("WhatsApp", self.label, overview.attention, overview.LINKS)
        flow_panels.register("whatsapp_flows", panel.panel)

        housekeeping.register("whatsapp_flows.steps", steps.forget_expired)
        housekeeping.register("whatsapp_flows.sealings", sealings.forget_ended)
        housekeeping.register("whatsapp_flows.retention", retention.forget_old)
        sandbox_retention.register("whatsapp_flows", retention.forget_appointments)
