"""What a browser may load and run on the product's pages: its own files, no inline script."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

_HEADER: Final = "Content-Security-Policy"
#: The theme sets colours and sizes in style elements and attributes.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'{scripts}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
_EVERYWHERE: Final = _POLICY.format(scripts="")
#: Alpine, which the theme is built on, compiles the expressions in its attributes. So the policy
#: keeps foreign and inline scripts out of the admin, but against markup that slipped in unescaped
#: only the templates' escaping helps.
_ADMIN: Final = _POLICY.format(scripts=" 'unsafe-eval'")


class ContentSecurityMiddleware:
    """Send the policy with every page; what machines get stays as its contract has it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve ``request``, a page with its policy."""
        response = self._get_response(request)
        if response.get("Content-Type", "").startswith("text/html"):
            is_admin = request.path.startswith(reverse("admin:index"))
            response[_HEADER] = _ADMIN if is_admin else _EVERYWHERE
        return response
