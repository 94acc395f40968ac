"""The addresses of the contract. What each takes and answers is in :mod:`.openapi`."""

from __future__ import annotations

from typing import ClassVar, Final

from django.http import HttpRequest, HttpResponse

from crypto_schemes.scheme import write_json
from flows_endpoint.flynn import envelopes
from flows_endpoint.flynn.envelopes import Version
from flows_endpoint.flynn.openapi import FlynnSchema
from flows_endpoint.flynn.operations import (
    AUTHENTICATE,
    AUTHENTICATE_WITH_SECRETS,
    EINVOICE,
    EWAY,
    LOG_IN,
    LOG_OUT,
    PING,
    RENEW,
    TOKENS,
    methods_of,
)
from flows_endpoint.flynn.protocol import PONG, FlynnProtocol, UnknownAddress
from flows_endpoint.flynn.theodore import TheodoreProtocol
from flows_endpoint.pipeline import serve
from flows_endpoint.views import ProtocolView


class _View(ProtocolView):
    """Which operation it is may depend on the method."""

    schema = FlynnSchema()
    by_method: ClassVar[dict[str, str]] = {}

    def operation_of(self, method: str) -> str:
        """Return the operation that ``method`` asks for."""
        return self.by_method.get(method, self.operation)

    def dispatch(self, request: HttpRequest, *args: str, **kwargs: str) -> HttpResponse:
        """Serve the request; nothing of it is parsed before the pipeline reads it."""
        return serve(self.protocol, request, self.operation_of(request.method or ""), kwargs)


class _Get(_View):
    def get(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        """Serve GET."""
        return self.dispatch(request, **kwargs)


class _Post(_View):
    def post(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        """Serve POST."""
        return self.dispatch(request, **kwargs)


class _Put(_View):
    def put(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        """Serve PUT."""
        return self.dispatch(request, **kwargs)


class _Change(_Post, _Put):
    def patch(self, request: HttpRequest, **kwargs: str) -> HttpResponse:
        """Serve PATCH."""
        return self.dispatch(request, **kwargs)


class PingView(_Get, _Post):
    """Is the service there? Concerns no flow, so there is nothing to log or to guard."""

    protocol = FlynnProtocol()
    operation = PING

    def dispatch(self, request: HttpRequest, *args: str, **kwargs: str) -> HttpResponse:
        """Answer; a method that is not taken is refused as everywhere."""
        if request.method not in methods_of(PING):
            return super().dispatch(request, *args, **kwargs)
        value = envelopes.success(Version.V2, {"message": PONG}, data_as_string=False)
        return HttpResponse(write_json(value), content_type="application/json")


class TokensView(_Post, _Put):
    """Log in (POST), renew a token (PUT)."""

    protocol = TheodoreProtocol()
    operation = TOKENS
    by_method = {"POST": LOG_IN, "PUT": RENEW}


class LogOutView(_Post):
    """Log out."""

    protocol = TheodoreProtocol()
    operation = LOG_OUT


class AuthenticateView(_Get, _Post):
    """Check organisation and token."""

    protocol = FlynnProtocol()
    operation = AUTHENTICATE


class AuthenticateWithSecretsView(_Get, _Post):
    """Check the encryption."""

    protocol = FlynnProtocol()
    operation = AUTHENTICATE_WITH_SECRETS


class InvoiceView(_Post):
    """Register an invoice."""

    protocol = FlynnProtocol()
    operation = f"{EINVOICE}.generate"


class InvoiceByIrnView(_Get):
    """Fetch an invoice."""

    protocol = FlynnProtocol()
    operation = f"{EINVOICE}.get"


class InvoiceCancelView(_Post):
    """Cancel an invoice."""

    protocol = FlynnProtocol()
    operation = f"{EINVOICE}.cancel"


class InvoiceEwayBillView(_Post):
    """Make the e-way bill of an invoice."""

    protocol = FlynnProtocol()
    operation = f"{EINVOICE}.eway_bill"


class EwayBillView(_Post):
    """Make an e-way bill."""

    protocol = FlynnProtocol()
    operation = f"{EWAY}.generate"


class EwayBillGetView(_Get):
    """Fetch an e-way bill."""

    protocol = FlynnProtocol()
    operation = f"{EWAY}.get"


class EwayBillCancelView(_Change):
    """Cancel an e-way bill."""

    protocol = FlynnProtocol()
    operation = f"{EWAY}.cancel"


class PartBView(_Change):
    """Enter or change the vehicle."""

    protocol = FlynnProtocol()
    operation = f"{EWAY}.update_part_b"


class ExtendValidityView(_Change):
    """Extend the validity."""

    protocol = FlynnProtocol()
    operation = f"{EWAY}.extend_validity"


class TransporterView(_Change):
    """Hand over to another transporter."""

    protocol = FlynnProtocol()
    operation = f"{EWAY}.update_transporter"


class UnknownAddressView(_View):
    """Whatever else lies under the contract's paths."""

    protocol = UnknownAddress()
    operation = "unknown"
    schema = None  # type: ignore[assignment]

    def dispatch(self, request: HttpRequest, *args: str, **kwargs: str) -> HttpResponse:
        """Answer in the envelope that the path asks for."""
        version = Version.V3 if _THIRD in request.path else Version.V2
        return super().dispatch(request, *args, version=version.value)


_THIRD: Final = "/v3.0/"
