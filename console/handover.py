"""The page a hand-over link leads to: a partner presses a button and sees the credentials once.

The token stands in the fragment of the link. Browsers send that to nobody, so the page itself says
the same to everybody, and whatever fetches links on its own (previews, scanners, prefetching)
burns nothing. A script of ours moves the token into the form and out of the address; without
script it is pasted. Only the POST of that form opens the link.

There is no CSRF token, for there is nothing to forge: no cookie is read or set here, and what the
request is allowed by is the token in its body, which another site does not know. A form on another
site that somebody else filled in is refused all the same, where the browser says so.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from crypto_schemes.errors import SchemeError
from flows_endpoint.exchange import Refusal
from flows_endpoint.guards import attempts
from tenants import lifecycle
from tenants.at_rest import AtRestError
from tenants.lifecycle import HandedOver, HandOverClosedError
from tenants.source_address import caller_address

_log = logging.getLogger("sealgate.handover")
#: Wrong links one address may try within a window, and the window in seconds. A token cannot be
#: guessed; this is against the noise.
WRONG_LINKS: Final = 20
WINDOW: Final = 600
_COUNTED_AS: Final = "handover"
#: Bytes of a form that holds a token, or a link someone pasted whole.
_LARGEST: Final = 4096
_FORM: Final = "application/x-www-form-urlencoded"
_TOO_MANY: Final = (
    "Too many links from your address did not open. Wait ten minutes; a link that still opens "
    "is not used up by that."
)
_AWAY: Final = (
    "The link cannot be opened right now. Try again later; if it does not open then, tell whoever "
    "sent it."
)
_UNREADABLE: Final = (
    "The credentials cannot be read right now. The link is not used up: tell whoever sent it, "
    "and try again later."
)


def handover(request: HttpRequest) -> HttpResponse:
    """Serve the page every link leads to. It says the same to everybody and uses nothing up."""
    return _page("handover/link.html", {})


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("token")
def open_handover(request: HttpRequest) -> HttpResponse:
    """Open the link whose token the form has, by POST; anything else leads to the form.

    Has an address of its own: from a page at the address of the links, following another link would
    only change the fragment, and load nothing.
    """
    if request.method != "POST":
        return HttpResponseRedirect(reverse("handover"))
    try:
        return _opened(request, caller_address(request))
    except DatabaseError as error:
        _log.error("the database refused a hand-over", extra={"error": type(error).__name__})
        return _refused(_AWAY, 503)


@sensitive_variables("token", "handed")
def _opened(request: HttpRequest, address: str) -> HttpResponse:
    token = _token(request)
    try:
        attempts.check(_COUNTED_AS, address, limit=WRONG_LINKS, window=WINDOW)
        handed = lifecycle.open_handover(
            token, address=address, request_id=str(getattr(request, "request_id", ""))
        )
    except Refusal:
        return _refused(_TOO_MANY, 429)
    except HandOverClosedError as error:
        attempts.count_failure(_COUNTED_AS, address, window=WINDOW)
        told = {"why": error.why, "handover": str(error.handover_id or ""), "address": address}
        _log.warning("a hand-over link was not opened", extra=told)
        return _refused(str(error), 404)
    except (AtRestError, SchemeError) as error:
        _log.error("a hand-over cannot be read", extra={"error": type(error).__name__})
        return _refused(_UNREADABLE, 503)
    return _page("handover/opened.html", _shown(handed))


def _token(request: HttpRequest) -> str:
    """Return the token of the form; empty for what is no small form of our own page."""
    declared = request.META.get("CONTENT_LENGTH") or "0"
    is_small = declared.isascii() and declared.isdigit() and int(declared[:12]) <= _LARGEST
    is_ours = request.headers.get("Sec-Fetch-Site", "same-origin") in {"same-origin", "none"}
    if not (is_small and is_ours and request.content_type == _FORM):
        return ""
    # Somebody may paste the whole link.
    return request.POST.get("token", "").strip().rpartition("#")[2]


def _shown(handed: HandedOver) -> dict[str, Any]:
    """Return what the template shows; the JSON has everything, under names for machines."""
    bundle = handed.bundle
    return {
        "flow": handed.flow,
        "contract": handed.flow.contract,
        "url": handed.url,
        "credentials": bundle.credentials,
        "extra": bundle.extra,
        "ends": handed.ends,
        "agreed": lifecycle.agreed_of(handed.flow),
        "json": bundle.as_json(handed.flow),
    }


def _refused(text: str, status: int) -> HttpResponse:
    return _page("handover/refused.html", {"text": text}, status)


def _page(template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    # Without the request: its context processors would look for a session and a person.
    response = HttpResponse(render_to_string(template, context), status=status)
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    return response
