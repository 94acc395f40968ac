"""The addresses of ISU. Which product a path is, the flow's options say: see ``locate``."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema, extend_schema_view

from flows_endpoint.isu import products
from flows_endpoint.isu.openapi import IsuSchema, described
from flows_endpoint.isu.protocol import IsuProtocol
from flows_endpoint.views import ProtocolView


class IsuView(ProtocolView):
    """One product at its default path."""

    protocol = IsuProtocol()
    schema = IsuSchema()

    def post(self, request: HttpRequest) -> HttpResponse:
        """Serve the product."""
        return self.dispatch(request)


@extend_schema_view(post=extend_schema(**described(products.PAYOUT)))
class PayoutView(IsuView):
    """Payout."""

    operation = products.PAYOUT


@extend_schema_view(post=extend_schema(**described(products.STATUS)))
class StatusView(IsuView):
    """Status check."""

    operation = products.STATUS


@extend_schema_view(post=extend_schema(**described(products.DYNAMIC_UPI)))
class DynamicUpiView(IsuView):
    """Dynamic UPI."""

    operation = products.DYNAMIC_UPI


@extend_schema_view(post=extend_schema(**described(products.ELECTRICITY_BILL)))
class ElectricityBillView(IsuView):
    """Electricity bill."""

    operation = products.ELECTRICITY_BILL


class OwnPathView(ProtocolView):
    """Any path nobody else has: ISU's, if the request carries a header of the contract."""

    protocol = IsuProtocol()
    operation = ""
    schema = None

    @classmethod
    def takes(cls, request: HttpRequest) -> bool:
        """Return whether it carries a header of the contract."""
        return "HTTP_PASS_KEY" in request.META or "HTTP_HEADER_SECRETS" in request.META

    def dispatch(self, request: HttpRequest, *args: str, **kwargs: str) -> HttpResponse:
        """Serve the request, or leave it to the product's answer to unknown addresses."""
        if not self.takes(request):
            raise Http404
        return super().dispatch(request, *args, **kwargs)
