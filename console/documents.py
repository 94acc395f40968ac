"""The documentation for partners: the page of each contract, as it stands in docs/protocols."""

from __future__ import annotations

import posixpath
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse

from console.markdown import Page, render
from crypto_schemes import registry
from crypto_schemes.scheme import Scheme

_FOLDER: Final = "docs/protocols"


def contracts(_: HttpRequest) -> HttpResponse:
    """Serve the list of the contracts."""
    rows = [
        (contract, page(contract.name).title, addresses(contract))
        for contract in registry.all_schemes()
    ]
    return HttpResponse(render_to_string("documents/contracts.html", {"rows": rows}))


def contract(_: HttpRequest, name: str) -> HttpResponse:
    """Serve the page of one contract. Raises Http404 where there is no such contract."""
    if name not in registry.NAMES:
        raise Http404
    scheme = registry.get(name)
    context = {"contract": scheme, "page": page(name), "addresses": addresses(scheme)}
    return HttpResponse(render_to_string("documents/contract.html", context))


@cache
def page(name: str) -> Page:
    """Return the page of the contract called ``name``; it is read once."""
    file = Path(settings.BASE_DIR) / _FOLDER / f"{name}.md"
    return render(file.read_text(encoding="utf-8"), _leads)


def addresses(contract: Scheme[Any]) -> str:
    """Return where the OpenAPI document is shown, open at the contract's part."""
    return f"{reverse('docs-api')}#/{quote(contract.label)}"


def _leads(href: str) -> str | None:
    """Return where a link of a page leads; None for files that are not served.

    Those are for whoever operates the product, and have the repository.
    """
    parts = urlsplit(href)
    if parts.scheme or not parts.path:
        return href
    folder, file = posixpath.split(posixpath.normpath(posixpath.join(_FOLDER, parts.path)))
    name, extension = posixpath.splitext(file)
    if folder != _FOLDER or extension != ".md" or name not in registry.NAMES:
        return None
    anchor = f"#{parts.fragment}" if parts.fragment else ""
    return f"{reverse('docs-contract', args=[name])}{anchor}"
