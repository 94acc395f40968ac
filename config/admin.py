"""Makes the product's admin site the one every app registers with."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig


class SealgateAdminConfig(AdminConfig):
    """Django's admin on the site of :mod:`console.site`."""

    default_site = "console.site.SealgateSite"
