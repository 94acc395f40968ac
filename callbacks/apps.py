"""Django's view of the callbacks app."""

from django.apps import AppConfig


class CallbacksConfig(AppConfig):
    """The outbox and its delivery."""

    name = "callbacks"
    verbose_name = "Callbacks"
