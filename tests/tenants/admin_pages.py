"""How a person works in the admin, for tests: forms read from the page and sent back."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from django.test import Client as Browser
from django.urls import reverse

from tenants.models import Client, Flow, Key


class _Forms(HTMLParser):
    """Collects the fields of each form with the values a browser would send untouched."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[dict[str, Any]] = []
        self._select: str | None = None
        self._textarea: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            method = given.get("method", "get").lower()
            self.forms.append({"action": given.get("action", ""), "method": method, "fields": {}})
        if not self.forms:
            return
        fields = self.forms[-1]["fields"]
        name = given.get("name", "")
        if tag == "input" and name:
            kind = given.get("type", "text")
            if kind in {"submit", "button"} or (kind == "checkbox" and "checked" not in given):
                return
            fields[name] = given.get("value", "on" if kind == "checkbox" else "")
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select and "selected" in given:
            fields[self._select] = given.get("value", "")
        elif tag == "textarea":
            self._textarea = name
            fields[name] = ""

    def handle_data(self, data: str) -> None:
        if self._textarea is not None:
            self.forms[-1]["fields"][self._textarea] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = None
        if tag == "textarea" and self._textarea is not None:
            fields = self.forms[-1]["fields"]
            # A browser drops the first line break of a text area.
            fields[self._textarea] = re.sub(r"\A\r?\n", "", fields[self._textarea])
            self._textarea = None


def forms_of(html: str) -> list[dict[str, Any]]:
    """Return each form's ``action``, ``method`` and ``fields``, as a browser would send them."""
    parser = _Forms()
    parser.feed(html)
    return parser.forms


def form_of(html: str, field: str) -> dict[str, Any]:
    """Return the fields of the form that has ``field``, as a browser would send them."""
    return next(dict(form["fields"]) for form in forms_of(html) if field in form["fields"])


def new_flow_url(scheme: str, client: Client | None = None) -> str:
    """Return the address of the form for a flow of ``scheme``."""
    query = f"?scheme={scheme}" + (f"&client={client.pk}" if client else "")
    return reverse("admin:tenants_flow_add") + query


def flow_url(flow: Flow) -> str:
    """Return the address of a flow's page."""
    return reverse("admin:tenants_flow_change", args=[flow.pk])


def secret_url(key: Key) -> str:
    """Return where the page of a flow shows the secret of ``key``."""
    return f"{flow_url(key.flow)}#secret-{key.purpose}"


def verb_url(key: Key, verb: str) -> str:
    """Return the address of a verb on a key."""
    return reverse("admin:tenants_key_verb", args=[key.pk, verb])


def add_flow(browser: Browser, scheme: str, client: Client, /, **fields: Any) -> Any:
    """Fill in the form for a new flow as the page shows it, with ``fields`` instead; send it."""
    url = new_flow_url(scheme, client)
    page = browser.get(url)
    assert page.status_code == 200, page.status_code
    data = form_of(page.content.decode(), "new_id")
    return browser.post(url, {**data, **fields})


def edit_flow(browser: Browser, flow: Flow, /, **fields: Any) -> Any:
    """Send the form of a flow's page as it stands, with ``fields`` instead (None: left out)."""
    page = browser.get(flow_url(flow))
    assert page.status_code == 200, page.status_code
    data = {**form_of(page.content.decode(), "allowed_networks"), **fields}
    sent = {name: value for name, value in data.items() if value is not None}
    return browser.post(flow_url(flow), sent)
