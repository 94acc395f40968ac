"""Makes the product's admin site the one every app registers with, and its checks known."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig
from django.core import checks

from config import unread


class SealgateAdminConfig(AdminConfig):
    """Django's admin on the site of :mod:`console.site`."""

    default_site = "console.site.SealgateSite"

    def ready(self) -> None:
        """Register the admin's models, and the check of names that nothing reads."""
        super().ready()
        checks.register(unread.check)
