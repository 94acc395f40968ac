"""What is answered to who may not do what they ask for: to people in the admin, a page.

Contracts refuse in their own words, and never come here.
"""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse

_STALE = (
    "The form was loaded before you last signed in, or your browser keeps no cookies of this page. "
    "Go back, load the page again and press once more; if that does not help, sign in again."
)
_ELSEWHERE = (
    "Your browser says that the form comes from another address than the one it was sent to. If "
    "that happens each time, SEALGATE_PUBLIC_URL is not the address you see in the browser, or the "
    "proxy in front does not say that it was called over TLS: ask whoever runs this installation."
)
#: How Django's words for that begin.
_OF_ELSEWHERE = ("Origin checking failed", "Referer checking failed")


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer 403: to who is in the admin as a page of it, to all others as JSON."""
    if not _is_of_admin(request) or not admin.site.has_permission(request):
        return JsonResponse({"error": "This is not allowed."}, status=403)
    lines = [
        str(exception or ""),
        "Nothing was done. Ask an administrator for a role that may, or sign in as somebody else.",
    ]
    return _page(request, "Not allowed", lines)


def unproven(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer 403 to a form that does not prove that it came from a page of ours."""
    if not _is_of_admin(request):
        return JsonResponse({"error": "This address takes no forms."}, status=403)
    why = _ELSEWHERE if reason.startswith(_OF_ELSEWHERE) else _STALE
    return _page(request, "The form was not taken", ["Nothing was done.", why])


def _is_of_admin(request: HttpRequest) -> bool:
    return request.path.startswith(reverse("admin:index")) and hasattr(request, "user")


def _page(request: HttpRequest, title: str, lines: list[str]) -> HttpResponse:
    page: HttpResponse = admin.site.refused(request, title, lines, 403)  # type: ignore[attr-defined]
    return page
