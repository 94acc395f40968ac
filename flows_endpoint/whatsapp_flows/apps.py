"""Django's view of the whatsapp_flows contract."""

from django.apps import AppConfig


class WhatsappFlowsConfig(AppConfig):
    """Views, operations, errors and sandbox of one contract."""

    name = "flows_endpoint.whatsapp_flows"
    label = "whatsapp_flows"
    verbose_name = "WhatsappFlows sandbox"
