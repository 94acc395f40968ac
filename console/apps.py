"""The app."""

from __future__ import annotations

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """Staff's side of the product."""

    name = "console"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Have log-ins and lock-outs noted, and a log-in count as a confirmation where it may."""
        from axes.signals import user_locked_out  # noqa: PLC0415 - models load later
        from django.contrib.auth.signals import user_logged_in  # noqa: PLC0415 - models load later

        from console import access  # noqa: PLC0415 - models load later
        from console.second_factor import signed_in  # noqa: PLC0415 - models load later

        user_logged_in.connect(signed_in, dispatch_uid="sealgate-console")
        user_logged_in.connect(access.logged_in, dispatch_uid="sealgate-access")
        user_locked_out.connect(access.locked_out, dispatch_uid="sealgate-access")
