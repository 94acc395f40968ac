"""Verbs on keys and the like ask who is there: password (and code) were given minutes ago."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

_MARK: Final = "confirmed_at"
#: How long a confirmation is good for a verb on a key.
FRESH_SECONDS: Final = 300
#: How long somebody may take to fill in the form of a new flow after that.
FORM_SECONDS: Final = 1800


def confirm_now(request: HttpRequest) -> None:
    """Note that the person behind the session has just shown who they are."""
    request.session[_MARK] = int(time.time())


def is_fresh(request: HttpRequest, seconds: int = FRESH_SECONDS) -> bool:
    """Return whether they did within the last ``seconds``."""
    confirmed_at = request.session.get(_MARK)
    return isinstance(confirmed_at, int) and 0 <= time.time() - confirmed_at <= seconds


class NotFreshError(Exception):
    """What a form says takes a fresh session. Nothing was changed; :func:`ask_again` asks."""


def require_fresh(request: HttpRequest) -> None:
    """Raise NotFreshError unless the person has just shown who they are."""
    if not is_fresh(request):
        raise NotFreshError


def ask_again(back: str) -> HttpResponse:
    """Return the redirect to the page that asks for the password and leads ``back``."""
    return HttpResponseRedirect(f"{reverse('admin:confirm')}?{urlencode({'next': back})}")


def needs_fresh(back: Callable[..., str]) -> Callable[..., Any]:
    """Let a view of a ModelAdmin run only for a fresh session; else ask, and go to ``back``.

    ``back`` gets the arguments of the view's address. What was sent is dropped, for it may hold
    a secret: the person presses the button again. Permission comes first, in the view of the
    site; who may not press the button is refused there once more.
    """

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @wraps(view)
        def guarded(self: Any, request: HttpRequest, **arguments: Any) -> HttpResponse:
            if request.method == "POST" and not is_fresh(request):
                return ask_again(back(**arguments))
            return view(self, request, **arguments)

        return guarded

    return decorate
