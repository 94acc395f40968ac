"""Every address: the contracts' own, the admin, and what machines ask for."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from django.contrib import admin
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.csrf import csrf_exempt
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


def _to_read(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Return ``view`` for reading alone: another method gets 405, and not a page about cookies."""
    return csrf_exempt(require_safe(view))


urlpatterns: list[URLPattern | URLResolver] = [
    path("", _to_read(RedirectView.as_view(pattern_name="docs")), name="home"),
    path("admin/", admin.site.urls),
    path("favicon.ico", _to_read(favicon), name="favicon"),
    path("livez", _to_read(health.livez), name="livez"),
    path("readyz", _to_read(health.readyz), name="readyz"),
    path("handover", _to_read(handover), name="handover"),
    path("handover/open", open_handover, name="handover-open"),
    path("metrics", _to_read(metrics), name="metrics"),
    path("openapi.json", _to_read(openapi), name="openapi"),
    path("docs", _to_read(contracts), name="docs"),
    path("docs/api", SpectacularSwaggerSplitView.as_view(url_name="openapi"), name="docs-api"),
    path("docs/<slug:name>", _to_read(contract), name="docs-contract"),
    *(path("", include(module)) for module in _protocols),
    # Contracts whose paths are settings of the flow look at what nobody else took.
    *(pattern for module in _protocols for pattern in getattr(module, "fallback_urlpatterns", [])),
]
handler400 = "config.health.bad_request"
handler403 = "config.forbidden.forbidden"
handler404 = "config.health.not_found"
handler500 = "config.health.server_error"
