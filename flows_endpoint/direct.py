"""The contracts' addresses, served before anything that only people need.

Sessions, cookies, cross-site tokens, log-in and messages belong to the admin. A machine has none of
them, and going through each costs more than opening its request. So :class:`ProtocolMiddleware`
stands behind what holds for everybody (request id, TLS, security headers) and in front of the
rest: where the address is a contract's, its view answers right here; everything else goes on as
usual. What :class:`~django.middleware.common.CommonMiddleware` does for an answer that is left, the
host name's check and the content's length, is done here too.

Web processes go one step further: :class:`ProtocolHandler` serves those addresses through the same
middleware, but past the signals and the resolver that Django has around each request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.db import DEFAULT_DB_ALIAS, connections
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, URLPattern, URLResolver, get_resolver, set_script_prefix
from django.urls.resolvers import RoutePattern
from django.utils.module_loading import import_string

from flows_endpoint.guards.body import declares_more
from flows_endpoint.views import ProtocolView

#: Addresses that are not fixed and remembered all the same; each has a few hundred bytes.
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
        self._addresses = Addresses(get_resolver().url_patterns)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve ``request``."""
        found = self._addresses.view_for(request)
        return self._get_response(request) if found is None else _answer(request, found)


class ProtocolHandler(WSGIHandler):
    """Django's WSGI handler, and a shorter way for the contracts' addresses.

    There each middleware in front of :class:`ProtocolMiddleware` is called as ever, then the view.
    No signal says that a request begins or ends; what listens to them is done here (the database's
    connection) or has nothing to do (caches, the log of statements).

    A body that is larger than any page takes is refused unread: Django would read one with files
    to its end, and a thread with it that could serve others.
    """

    def __init__(self) -> None:
        super().__init__()
        self._addresses = Addresses(get_resolver().url_patterns)
        names = settings.MIDDLEWARE
        own = f"{ProtocolMiddleware.__module__}.{ProtocolMiddleware.__qualname__}"
        serve: Any = convert_exception_to_response(_answer_found)
        for name in reversed(names[: names.index(own)]):
            serve = convert_exception_to_response(import_string(name)(serve))
        self._serve: Callable[[HttpRequest], HttpResponse] = serve

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Serve one request, as PEP 3333 says."""
        # A copy: a request writes into its environment, and Django may make its own of this one.
        request = WSGIRequest(dict(environ))
        found = self._addresses.view_for(request)
        if found is None:
            if declares_more(environ, settings.DATA_UPLOAD_MAX_MEMORY_SIZE):
                start_response("413 Content Too Large", [("Content-Length", "0")])
                return []
            return super().__call__(environ, start_response)
        request.found = found  # type: ignore[attr-defined]  # for the last of the chain
        set_script_prefix(request.META["SCRIPT_NAME"])
        connection = connections[DEFAULT_DB_ALIAS]
        # Before: it may have grown old since. After: it may have broken.
        connection.close_if_unusable_or_obsolete()
        try:
            response = self._serve(request)
        finally:
            connection.close_if_unusable_or_obsolete()
        start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
        return [response.content]


def _answer(request: HttpRequest, found: Found) -> HttpResponse:
    request.get_host()  # raises DisallowedHost
    response = found.view(request, **found.captured)
    response.headers["Content-Length"] = str(len(response.content))
    return response


def _answer_found(request: Any) -> HttpResponse:
    return _answer(request, request.found)


class Addresses:
    """Which of the contracts' views an address belongs to, in the order of the URL patterns.

    Most addresses are fixed and stand in a table; only what is not among them is matched, and what
    came of that is remembered for some.
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
        self._matched = lru_cache(_MOST_REMEMBERED)(self._match)

    def view_for(self, request: HttpRequest) -> Found | None:
        """Return the contract's view that takes ``request``, or None where none does."""
        found = self.find(request.path_info)
        if found is None:
            return None
        view: Any = found.view
        return found if view.view_class.takes(request) else None

    def find(self, path: str) -> Found | None:
        """Return the contract's view of ``path``, or None where it is nobody's or not a contract's.

        The result is shared: what is captured must not be changed.
        """
        return self._fixed.get(path) or self._matched(path)

    def _match(self, path: str) -> Found | None:
        for pattern in self._variable:
            match = pattern.resolve(path[1:])
            if match is not None:
                return Found(match.func, match.kwargs)
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
