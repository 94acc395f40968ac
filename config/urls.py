"""Every address: the contracts' own, the admin, and what machines ask for."""

from __future__ import annotations

from importlib import import_module

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.http import require_safe
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularSwaggerSplitView

from config import health
from config.favicon import favicon
from config.metrics import metrics
from config.openapi import openapi
from console.documents import contract, contracts
from console.handover import handover, open_handover
from crypto_schemes import registry

_protocols = [import_module(f"flows_endpoint.{name}.urls") for name in registry.NAMES]

admin.site.site_header = admin.site.site_title = "Sealgate"
admin.site.site_url = "/docs"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", require_safe(RedirectView.as_view(pattern_name="docs")), name="home"),
    path("admin/", admin.site.urls),
    path("favicon.ico", require_safe(favicon), name="favicon"),
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("handover", handover, name="handover"),
    path("handover/open", open_handover, name="handover-open"),
    path("metrics", metrics, name="metrics"),
    path("openapi.json", openapi, name="openapi"),
    path("docs", contracts, name="docs"),
    path("docs/api", SpectacularSwaggerSplitView.as_view(url_name="openapi"), name="docs-api"),
    path("docs/<slug:name>", contract, name="docs-contract"),
    *(path("", include(module)) for module in _protocols),
    # Contracts whose paths are settings of the flow look at what nobody else took.
    *(pattern for module in _protocols for pattern in getattr(module, "fallback_urlpatterns", [])),
]
handler400 = "config.health.bad_request"
handler404 = "config.health.not_found"
handler500 = "config.health.server_error"
