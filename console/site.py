"""The admin site."""

from __future__ import annotations

from unfold.sites import UnfoldAdminSite


class SealgateSite(UnfoldAdminSite):  # type: ignore[misc]  # the theme has no types
    """The theme's site."""

    index_title = "Overview"
