"""The base of every address of every contract: a DRF view that hands over to the pipeline."""

from __future__ import annotations

from typing import ClassVar

from django.http import HttpRequest, HttpResponse
from rest_framework.views import APIView

from flows_endpoint.pipeline import Protocol, serve


class ProtocolView(APIView):
    """One address of one contract. Subclasses set ``protocol`` and ``operation``.

    Methods the contract does not take are answered by the contract too, in its own words,
    so every method goes through the pipeline.
    """

    protocol: ClassVar[Protocol]
    operation: ClassVar[str]
    authentication_classes = ()
    permission_classes = ()
    parser_classes = ()
    throttle_classes = ()
    http_method_names = ["get", "post", "put", "patch", "delete", "head", "options", "trace"]

    @classmethod
    def takes(cls, request: HttpRequest) -> bool:
        """Return whether the request is the contract's at all; any at its address is."""
        return True

    def dispatch(self, request: HttpRequest, *args: str, **kwargs: str) -> HttpResponse:
        """Serve the request; nothing of it is parsed before the pipeline reads it."""
        return serve(self.protocol, request, self.operation, kwargs)
