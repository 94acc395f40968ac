"""The one page that shows secrets: the direct answer to the POST that made them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from tenants import lifecycle
from tenants.admin.base import no_store
from tenants.lifecycle import Extra, PartnerBundle, is_for_partner
from tenants.models import Flow, Key


def issued_page(
    request: HttpRequest,
    site: AdminSite,
    flow: Flow,
    *,
    title: str,
    credentials: Mapping[str, str] | None = None,
    url: str = "",
    extra: Iterable[Extra] = (),
    own_service: Mapping[str, str] | None = None,
    keys: Iterable[Key] = (),
) -> HttpResponse:
    """Return the page.

    ``credentials`` are what the partner needs, ``url`` is where they are used, ``extra`` what else
    was made, ``own_service`` what only the company's own service behind the flow may have. Of
    ``keys``, the versions just made, those for the partner can be put behind a hand-over link.

    Nothing of it is kept: not in the session, a cookie, a message, an address or a log.
    """
    bundle = PartnerBundle(credentials=dict(credentials or {}), extra=tuple(extra))
    may_hand_over = request.user.has_perm("tenants.add_handover")
    made = list(keys)
    for_partner = [key for key in made if is_for_partner(flow.contract.purpose(key.purpose))]
    context = {
        **site.each_context(request),
        "title": title,
        "flow": flow,
        "opts": Flow._meta,
        "url": url,
        "credentials": bundle.credentials,
        "credentials_json": bundle.as_json(flow) if bundle.credentials else "",
        "extra": bundle.extra,
        "own_service": dict(own_service or {}),
        "to_hand_over": for_partner if may_hand_over else [],
        "keys": made,
        "usual_days": lifecycle.DEFAULT_LIFETIME.days,
    }
    return no_store(TemplateResponse(request, "admin/tenants/issued.html", context))
