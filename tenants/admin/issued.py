"""The one page that shows secrets: the direct answer to the POST that made them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from tenants.admin.base import no_store
from tenants.models import Flow


def issued_page(
    request: HttpRequest,
    site: AdminSite,
    flow: Flow,
    *,
    title: str,
    credentials: Mapping[str, str] | None = None,
    url: str = "",
    extra: Mapping[str, str] | None = None,
    own_service: Mapping[str, str] | None = None,
) -> HttpResponse:
    """Return the page.

    ``credentials`` are what the partner needs, ``url`` is where they are used, ``extra`` what else
    was made, ``own_service`` what only the company's own service behind the flow may have.

    Nothing of it is kept: not in the session, a cookie, a message, an address or a log.
    """
    bundle = dict(credentials or {})
    context = {
        **site.each_context(request),
        "title": title,
        "flow": flow,
        "opts": Flow._meta,
        "url": url,
        "credentials": bundle,
        "credentials_json": json.dumps(bundle, indent=2, ensure_ascii=False),
        "extra": dict(extra or {}),
        "own_service": dict(own_service or {}),
    }
    return no_store(TemplateResponse(request, "admin/tenants/issued.html", context))
