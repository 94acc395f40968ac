"""Django's view of the callbacks app."""

from django.apps import AppConfig


class CallbacksConfig(AppConfig):
    """The outbox and its delivery."""

    name = "callbacks"
    verbose_name = "Callbacks"

    def ready(self) -> None:
        """Register the channel; stop the start on networks that cannot be read."""
        from callbacks import channels, ssrf  # noqa: PLC0415 - settings are needed first
        from callbacks.callback_channel import CallbackChannel  # noqa: PLC0415 - as are models

        ssrf.policy()
        channels.register(CallbackChannel())
