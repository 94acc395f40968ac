"""The app."""

from __future__ import annotations

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """Staff's side of the product."""

    name = "console"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Have a log-in count as a confirmation where nothing more is asked for."""
        from django.contrib.auth.signals import user_logged_in  # noqa: PLC0415 - models load later

        from console.second_factor import signed_in  # noqa: PLC0415 - models load later

        user_logged_in.connect(signed_in, dispatch_uid="sealgate-console")
