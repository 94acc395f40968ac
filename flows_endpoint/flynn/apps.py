"""Django's view of the flynn contract."""

from django.apps import AppConfig


class FlynnConfig(AppConfig):
    """Views, operations, errors and sandbox of one contract."""

    name = "flows_endpoint.flynn"
    label = "flynn"
    verbose_name = "Flynn sandbox"
