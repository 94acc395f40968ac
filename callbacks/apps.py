"""Django's view of the callbacks app."""

from django.apps import AppConfig


class CallbacksConfig(AppConfig):
    """The outbox and its delivery."""

    name = "callbacks"
    verbose_name = "Callbacks"

    def ready(self) -> None:
        """Stop the start on networks that cannot be read, rather than the first call."""
        from callbacks import ssrf  # noqa: PLC0415 - settings are needed first

        ssrf.policy()
