"""The admin site: who may enter it, and its own pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_post_parameters
from unfold.sites import UnfoldAdminSite

_OUTSIDE: Final = "unfold/layouts/unauthenticated.html"
_NOT_PRESSED: Final = (
    "Nothing was done: this address is where a button sends to, and shows nothing by itself. Go to "
    "the page with the button, and press it again."
)


class SealgateSite(UnfoldAdminSite):  # type: ignore[misc]  # the theme has no types
    """The theme's site, behind a second factor."""

    index_title = "Overview"
    index_template = "admin/console/index.html"

    def extra_urls(self) -> list[URLPattern]:
        """Return the addresses of the pages that ask who is there."""
        return [
            path("second-factor/", self.second_factor, name="second_factor"),
            path("confirm/", self.admin_view(self.confirm), name="confirm"),
        ]

    def has_permission(self, request: HttpRequest) -> bool:
        """Return whether the person is staff and has given every factor they have to."""
        from console.second_factor import is_missing  # noqa: PLC0415 - models load later

        return bool(super().has_permission(request)) and not is_missing(request)

    def _search_apps(self, app_list: list[dict[str, Any]], search_term: str) -> list[Any]:
        """Return the lists that the search in the side bar finds, named as the side bar has them.

        The theme offers no other place to say so: it reads the apps past ``get_app_list``.
        """
        from console import navigation  # noqa: PLC0415 - models load later

        found: list[Any] = super()._search_apps(navigation.grouped(app_list), search_term)
        return found

    def admin_view(
        self,
        view: Callable[..., HttpResponse],
        cacheable: bool = False,  # noqa: FBT001 - Django's signature
    ) -> Callable[..., HttpResponse]:
        """Return ``view`` for who may enter; an address that only takes a button says so."""
        guarded = super().admin_view(view, cacheable)

        @wraps(guarded)
        def serve(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            answer: HttpResponse = guarded(request, *args, **kwargs)
            if answer.status_code != HTTPStatus.METHOD_NOT_ALLOWED:
                return answer
            # Who signs in again after pressing a button is led here, by GET.
            page = self.refused(request, "Press the button again", [_NOT_PRESSED], 405)
            page["Allow"] = answer["Allow"]
            return page

        return serve

    def refused(
        self, request: HttpRequest, title: str, lines: Sequence[str], status: int
    ) -> HttpResponse:
        """Say what was refused and what to do, in the theme; to who is not inside, outside of it.

        A button leads back to the page of ours that the browser came from.
        """
        came_from, host = request.headers.get("Referer", ""), request.get_host()
        is_ours = url_has_allowed_host_and_scheme(
            came_from, {host}, require_https=request.is_secure()
        )
        is_inside = self.has_permission(request)
        context = {
            **(self.each_context(request) if is_inside else {}),
            "layout": "admin/base_site.html" if is_inside else _OUTSIDE,
            "is_inside": is_inside,
            "title": title,
            "lines": lines,
            "back": came_from if is_ours else "",
        }
        page = render_to_string("admin/console/refused.html", context, request)
        return HttpResponse(page, status=status)

    def not_found(self, request: HttpRequest) -> HttpResponse:
        """Say that there is nothing at the address, in the theme; for who may enter."""
        context = {**self.each_context(request), "title": "Nothing here"}
        return HttpResponse(
            render_to_string("admin/console/not_found.html", context, request), status=404
        )

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Serve the first page with its tiles and charts."""
        from console.dashboard import dashboard  # noqa: PLC0415 - models load later

        context = {**dashboard(request), **(extra_context or {})}
        response: HttpResponse = super().index(request, context)
        return response

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask for the password; who gave it already goes on to the second factor."""
        from console.second_factor import is_missing  # noqa: PLC0415 - models load later

        if request.method == "GET" and is_missing(request):
            query = urlencode({REDIRECT_FIELD_NAME: request.GET.get(REDIRECT_FIELD_NAME, "")})
            return HttpResponseRedirect(f"{reverse('admin:second_factor')}?{query}")
        response: HttpResponse = super().login(request, extra_context)
        return response

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Serve the form for one's own password; a change is written to the audit trail."""
        from console import access  # noqa: PLC0415 - models load later

        with access.noting_password(request, request.user.pk):
            response: HttpResponse = super().password_change(request, extra_context)
        return response

    def second_factor(self, request: HttpRequest) -> HttpResponse:
        """Serve the page of the second factor."""
        return _second_factor_page(request, self)

    def confirm(self, request: HttpRequest) -> HttpResponse:
        """Serve the page that asks for the password again."""
        return _confirm_page(request, self)


@csrf_protect
@sensitive_post_parameters("code")
def _second_factor_page(request: HttpRequest, site: SealgateSite) -> HttpResponse:
    from console import second_factor  # noqa: PLC0415 - models load later

    return second_factor.second_factor(request, site)


@sensitive_post_parameters("password", "code")
def _confirm_page(request: HttpRequest, site: SealgateSite) -> HttpResponse:
    from console import second_factor  # noqa: PLC0415 - models load later

    return second_factor.confirm(request, site)
