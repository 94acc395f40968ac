"""Addresses of the citcall contract."""

from django.urls import URLPattern, URLResolver, path

from flows_endpoint.citcall.views import AsyncCallView

urlpatterns: list[URLPattern | URLResolver] = [
    path("v2/asynccall", AsyncCallView.as_view(), name="citcall-asynccall"),
]
