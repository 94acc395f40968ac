"""What the buttons of these pages have in common."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from tenants.actors import Actor
from tenants.admin.base import RefusedError, answering, sent_back


def press(
    request: HttpRequest, permission: str, verb: Callable[[Actor], str], back: str
) -> HttpResponse:
    """Do ``verb``, say what it returns or why not, and go to ``back``."""
    if not request.user.has_perm(permission):
        raise PermissionDenied
    try:
        with answering():
            messages.success(request, verb(Actor.from_request(request)))
    except RefusedError as refused:
        return sent_back(request, refused, back)
    return HttpResponseRedirect(back)
