"""The contracts' addresses, served before anything that only people need.

Sessions, cookies, cross-site tokens, log-in and messages belong to the admin. A machine has none of
them, and going through each costs more than opening its request. So this middleware stands behind
what holds for everybody (request id, TLS, security headers) and in front of the rest: where the
address is a contract's, its view answers right here; everything else goes on as usual.

What :class:`~django.middleware.common.CommonMiddleware` does for an answer that is left, the host
name's check and the content's length, is done here too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

from flows_endpoint.views import ProtocolView

#: Addresses of flows' own choice that are remembered; each has a few hundred bytes.
_MOST_REMEMBERED: Final = 2000

_View = Callable[..., HttpResponse]


class Found(NamedTuple):
    """The view of an address, and what stands in the address for it."""

    view: _View
    captured: Mapping[str, Any]


class ProtocolMiddleware:
    """Answer requests for the contracts' addresses; pass on all others."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        self._find = Addresses(get_resolver().url_patterns).find

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve ``request``."""
        found = self._find(request.path_info)
        if found is None:
            return self._get_response(request)
        view: Any = found.view
        if not view.view_class.takes(request):
            return self._get_response(request)
        request.get_host()  # raises DisallowedHost
        response: HttpResponse = view(request, **found.captured)
        response.headers["Content-Length"] = str(len(response.content))
        return response


class Addresses:
    """Which of the contracts' views an address belongs to, in the order of the URL patterns.

    Most addresses are fixed and stand in a table; only what is not among them is matched.
    """

    def __init__(self, patterns: Iterable[URLPattern | URLResolver]) -> None:
        self._fixed: dict[str, Found] = {}
        self._first_variable: str | None = None
        every = list(_flat(patterns))
        for prefix, pattern in every:
            if prefix == "" and _is_protocol(pattern.callback) and _is_fixed(pattern):
                self._fixed.setdefault(
                    f"/{pattern.pattern}", Found(pattern.callback, pattern.default_args)
                )
        self._variable = [
            pattern
            for prefix, pattern in every
            if prefix == "" and isinstance(pattern.pattern, RoutePattern) and not _is_fixed(pattern)
            if _is_protocol(pattern.callback)
        ]
        self._otherwise = lru_cache(_MOST_REMEMBERED)(_resolved)

    def find(self, path: str) -> Found | None:
        """Return the contract's view of ``path``, or None where it is nobody's or not a contract's.

        The result is shared: what is captured must not be changed.
        """
        found = self._fixed.get(path)
        if found is not None:
            return found
        for pattern in self._variable:
            match = pattern.resolve(path[1:])
            if match is not None:
                return Found(match.func, match.kwargs)
        return self._otherwise(path)


def _resolved(path: str) -> Found | None:
    try:
        match = get_resolver().resolve(path)
    except Resolver404:
        return None
    return Found(match.func, match.kwargs) if _is_protocol(match.func) else None


def _flat(
    patterns: Iterable[URLPattern | URLResolver], prefix: str = ""
) -> Iterable[tuple[str, URLPattern]]:
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            yield prefix, pattern
        else:
            yield from _flat(pattern.url_patterns, prefix + str(pattern.pattern))


def _is_fixed(pattern: URLPattern) -> bool:
    return isinstance(pattern.pattern, RoutePattern) and not pattern.pattern.converters


def _is_protocol(view: Any) -> bool:
    kind = getattr(view, "view_class", None)
    return isinstance(kind, type) and issubclass(kind, ProtocolView)
