"""Django's view of the endpoint app."""

from django.apps import AppConfig


class FlowsEndpointConfig(AppConfig):
    """The pipeline, its guards and the exchange log."""

    name = "flows_endpoint"
    verbose_name = "Exchanges"
