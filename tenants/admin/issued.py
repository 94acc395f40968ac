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
    credentials: Mapping[str, str],
    extra: Mapping[str, str] | None = None,
) -> HttpResponse:
    """Return the page. ``credentials`` are what the partner needs, ``extra`` what else was made.

    Nothing of it is kept: not in the session, a cookie, a message, an address or a log.
    """
    context = {
        **site.each_context(request),
        "title": title,
        "flow": flow,
        "opts": Flow._meta,
        "credentials": dict(credentials),
        "credentials_json": json.dumps(dict(credentials), indent=2, ensure_ascii=False),
        "extra": dict(extra or {}),
    }
    return no_store(TemplateResponse(request, "admin/tenants/issued.html", context))
