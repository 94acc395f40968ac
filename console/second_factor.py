"""Getting in: the second factor after the password, and showing again who one is."""

from __future__ import annotations

import base64
import io
import logging
from typing import Any, Final

import django_otp
import segno
from django.conf import settings
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.auth import REDIRECT_FIELD_NAME, authenticate
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from console import access
from console.models import SecondFactor
from tenants.admin.base import no_store
from tenants.admin.fresh import ask_again, confirm_now, is_fresh

_log = logging.getLogger("sealgate.console")
#: From so many wrong codes in a row on, the next waits 16 seconds and more.
_TELLING_FAILURES: Final = 5
_WRONG_CODE: Final = "That code is wrong, was used before or came too soon after a wrong one."


def is_missing(request: HttpRequest) -> bool:
    """Return whether this signed-in person still owes a second factor."""
    user: Any = request.user
    if not user.is_authenticated or user.is_verified():
        return False
    if settings.SECOND_FACTOR:
        return True
    # A page asks several times; the database is asked once.
    if not hasattr(user, "has_second_factor"):
        user.has_second_factor = confirmed_factor(user) is not None
    return bool(user.has_second_factor)


def confirmed_factor(user: Any) -> SecondFactor | None:
    """Return the person's second factor, if they have set one up."""
    factor: SecondFactor | None = SecondFactor.objects.filter(user=user, confirmed=True).first()
    return factor


def signed_in(sender: Any, request: HttpRequest, user: Any, **details: Any) -> None:
    """Take a password just given as a confirmation, where it is all that is asked for."""
    if not settings.SECOND_FACTOR and confirmed_factor(user) is None:
        confirm_now(request)


def second_factor(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Ask for a code; of who has no second factor yet, after showing the secret for their app."""
    user: Any = request.user
    if not (user.is_authenticated and user.is_active and user.is_staff):
        return HttpResponseRedirect(reverse("admin:login"))
    if user.is_verified():
        return HttpResponseRedirect(_next(request))
    factor = confirmed_factor(user)
    is_new = factor is None
    if is_new and not settings.SECOND_FACTOR and not is_fresh(request):
        # Whoever finds a session open must not tie it to an app of theirs.
        return ask_again(request.path)
    factor = factor or SecondFactor.begin(user)
    error = ""
    if request.method == "POST":
        if _takes(request, factor, request.POST.get("code", "")):
            with transaction.atomic():
                if is_new:
                    SecondFactor.objects.filter(pk=factor.pk).update(confirmed=True)
                    factor.confirmed = True
                    _log.info("second factor set up", extra={"user": user.get_username()})
                verb = "access.second_factor" if is_new else "access.log_in"
                access.note(access.actor_of(request, user), verb, user, after={"by": "code"})
            django_otp.login(request, factor)
            request.session.cycle_key()
            confirm_now(request)
            return HttpResponseRedirect(_next(request))
        error = _WRONG_CODE
    context = {
        **site.each_context(request),
        "title": "Set up your second factor" if is_new else "Second factor",
        "error": error,
        "next": _next(request),
    }
    if is_new:
        context |= {"secret": factor.secret_text, "picture": _picture(factor.app_url)}
    return no_store(TemplateResponse(request, "admin/console/second_factor.html", context))


def confirm(request: HttpRequest, site: AdminSite) -> HttpResponse:
    """Ask a signed-in person for password (and code) again, then lead back."""
    user: Any = request.user
    factor = confirmed_factor(user)
    error = ""
    if request.method == "POST":
        # Not user.check_password: failures must count towards the lock-out.
        known = authenticate(
            request, username=user.get_username(), password=request.POST.get("password", "")
        )
        if known is None or known.pk != user.pk:
            error = "That password is wrong."
        elif factor is not None and not _takes(request, factor, request.POST.get("code", "")):
            error = _WRONG_CODE
        else:
            by = "password" if factor is None else "password and code"
            access.note(access.actor_of(request, user), "access.confirm", user, after={"by": by})
            confirm_now(request)
            messages.success(
                request, "Confirmed. Nothing was changed yet, nothing typed was kept: do it again."
            )
            return HttpResponseRedirect(_next(request))
    context = {
        **site.each_context(request),
        "title": "Confirm that it is you",
        "error": error,
        "next": _next(request),
        "asks_code": factor is not None,
    }
    return no_store(TemplateResponse(request, "admin/console/confirm.html", context))


def _takes(request: HttpRequest, factor: SecondFactor, code: str) -> bool:
    """Return whether ``code`` is right; note it where wrong ones make the next wait long."""
    user: Any = request.user
    typed = code.replace(" ", "")
    with transaction.atomic():
        factors = SecondFactor.objects.select_for_update().filter(pk=factor.pk)
        before = factors.values_list("throttling_failure_count", flat=True).first()
        if django_otp.verify_token(user, factor.persistent_id, typed) is not None:
            return True
        failures = factors.values_list("throttling_failure_count", flat=True).first()
        if failures != before and failures and failures >= _TELLING_FAILURES:
            access.made_to_wait(request, user, failures)
    return False


def _next(request: HttpRequest) -> str:
    """Return where to go on, within the admin."""
    given = request.POST.get(REDIRECT_FIELD_NAME) or request.GET.get(REDIRECT_FIELD_NAME, "")
    home = reverse("admin:index")
    is_ours = url_has_allowed_host_and_scheme(given, allowed_hosts=None)
    return given if is_ours and given.startswith(home) else home


def _picture(url: str) -> str:
    """Return the QR code of ``url`` as a data URL."""
    buffer = io.BytesIO()
    segno.make(url, error="m").save(buffer, kind="svg", border=2)
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
