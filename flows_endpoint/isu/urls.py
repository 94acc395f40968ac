"""Addresses of the ISU contract: the default paths, and whatever paths flows have instead."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path, re_path

from crypto_schemes.isu import IsuOptions
from flows_endpoint.isu.views import (
    DynamicUpiView,
    ElectricityBillView,
    OwnPathView,
    PayoutView,
    StatusView,
)

_defaults = IsuOptions()

urlpatterns: list[URLPattern | URLResolver] = [
    path(_defaults.payout_path[1:], PayoutView.as_view(), name="isu-payout"),
    path(_defaults.status_path[1:], StatusView.as_view(), name="isu-status"),
    path(_defaults.dynamic_upi_path[1:], DynamicUpiView.as_view(), name="isu-dynamic-upi"),
    path(
        _defaults.electricity_bill_path[1:],
        ElectricityBillView.as_view(),
        name="isu-electricity-bill",
    ),
]
fallback_urlpatterns: list[URLPattern | URLResolver] = [
    re_path(r"^.+$", OwnPathView.as_view(), name="isu-own-path"),
]
