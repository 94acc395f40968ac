"""The app."""

from __future__ import annotations

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """Staff's side of the product."""

    name = "console"
    default_auto_field = "django.db.models.BigAutoField"
