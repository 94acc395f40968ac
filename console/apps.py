"""The app."""

from __future__ import annotations

from django.apps import AppConfig, apps


class ConsoleConfig(AppConfig):
    """Staff's side of the product."""

    name = "console"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Name people and roles, and have log-ins noted; one counts as a confirmation."""
        # As the side bar and the documentation call them. Migrations look elsewhere.
        apps.get_app_config("auth").verbose_name = "People and roles"
        for model, one, many in (("user", "person", "people"), ("group", "role", "roles")):
            meta = apps.get_model("auth", model)._meta
            meta.verbose_name, meta.verbose_name_plural = one, many
        apps.get_model("tenants", "auditentry")._meta.verbose_name_plural = "audit trail"
        apps.get_model("auth", "user")._meta.get_field("groups").verbose_name = "roles"

        from axes.signals import user_locked_out  # noqa: PLC0415 - models load later
        from django.contrib.auth.signals import user_logged_in  # noqa: PLC0415 - models load later

        from console import access  # noqa: PLC0415 - models load later
        from console.second_factor import signed_in  # noqa: PLC0415 - models load later

        user_logged_in.connect(signed_in, dispatch_uid="sealgate-console")
        user_logged_in.connect(access.logged_in, dispatch_uid="sealgate-access")
        user_locked_out.connect(access.locked_out, dispatch_uid="sealgate-access")
