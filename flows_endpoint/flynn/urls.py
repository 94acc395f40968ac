"""Addresses of the flynn contract."""

from __future__ import annotations

from typing import Final

from django.urls import URLPattern, URLResolver, path, re_path, register_converter
from django.urls.converters import StringConverter

from flows_endpoint.flynn import views
from flows_endpoint.flynn.envelopes import Version


class IrpConverter(StringConverter):
    """The e-invoice portals there are: two of the tax department's, and its first."""

    regex = "ni1|ni2|nic"


class EwbConverter(StringConverter):
    """The e-way bill portals there are."""

    regex = "ew1|ew2"


register_converter(IrpConverter, "flynn_irp")
register_converter(EwbConverter, "flynn_ewb")

_V1: Final = {"version": Version.V1.value}
_V3: Final = {"version": Version.V3.value}


def _einvoice(base: str, version: dict[str, str]) -> list[URLPattern]:
    core, eway_bill = f"{base}/eicore/v1.03/Invoice", f"{base}/eiewb/v1.03/ewaybill"
    return [
        path(core, views.InvoiceView.as_view(), version),
        path(f"{core}/irn/<str:irn>", views.InvoiceByIrnView.as_view(), version),
        path(f"{core}/Cancel", views.InvoiceCancelView.as_view(), version),
        path(eway_bill, views.InvoiceEwayBillView.as_view(), version),
    ]


def _eway(base: str, version: dict[str, str]) -> list[URLPattern]:
    return [
        path(f"{base}/gen-ewb", views.EwayBillView.as_view(), version),
        path(f"{base}/GetEwayBill", views.EwayBillGetView.as_view(), version),
        path(f"{base}/cancel", views.EwayBillCancelView.as_view(), version),
        path(f"{base}/update-part-b", views.PartBView.as_view(), version),
        path(f"{base}/extend-validity", views.ExtendValidityView.as_view(), version),
        path(f"{base}/update-transporter", views.TransporterView.as_view(), version),
    ]


urlpatterns: list[URLPattern | URLResolver] = [
    path("ping", views.PingView.as_view(), name="flynn-ping"),
    path("authenticate", views.AuthenticateView.as_view(), name="flynn-authenticate"),
    path(
        "authenticate-with-secrets",
        views.AuthenticateWithSecretsView.as_view(),
        name="flynn-authenticate-with-secrets",
    ),
    path("theodore/apis/v1/authtokens", views.TokensView.as_view(), name="flynn-tokens"),
    path("theodore/apis/v1/logout", views.LogOutView.as_view(), name="flynn-log-out"),
    *_einvoice("basic/einv/v3.0/<flynn_irp:irp>", _V3),
    *_einvoice("basic/einv/v1.0/nic", _V1),
    *_eway("basic/eway/v3.0/<flynn_ewb:ewb>/v1.03/ewayapi", _V3),
    *_eway("basic/ewb/v1.0/v1.03", _V1),
    *_eway("basic/ewb/v1.0/v1.03/ewayapi", _V1),
    re_path(r"^(?:basic|theodore)/", views.UnknownAddressView.as_view()),
]
