"""One name for one thing: the side bar, the lists it leads to, the search and the windows."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client as Browser
from django.urls import reverse

from console import navigation
from flows_endpoint import attention
from tenants.lifecycle import IssuedFlow

pytestmark = pytest.mark.django_db
Make = Callable[..., IssuedFlow]


@pytest.fixture
def browser() -> Browser:
    cache.clear()
    browser = Browser()
    browser.force_login(User.objects.create_superuser("root"))
    return browser


def groups_shown(browser: Browser) -> dict[str, list[str]]:
    groups = browser.get("/admin/").context["sidebar_navigation"]
    return {
        group["title"]: [item["title"] for item in group["items"]]
        for group in groups
        if "title" in group
    }


def found(browser: Browser, words: str) -> list[tuple[str, str]]:
    """Return what the search finds: the name of a list and where it is."""
    results = browser.get("/admin/search/", {"s": words}).context["results"]
    return [(result.title, result.description) for result in results]


def test_a_contract_s_group_shows_once_it_has_a_flow(browser: Browser, make_flow: Make) -> None:
    assert list(groups_shown(browser)) == ["Partners", "Traffic", "Oversight"]
    make_flow("isu")
    assert "WhatsApp" not in groups_shown(browser)
    make_flow("whatsapp_flows")
    groups = groups_shown(browser)
    assert list(groups) == ["Partners", "Traffic", "WhatsApp", "Oversight"]
    assert groups["WhatsApp"] == ["Messages", "Alerts", "Endpoint health", "Public keys at Meta"]


def test_the_search_knows_the_words_of_the_side_bar(browser: Browser) -> None:
    assert found(browser, "audit") == [("Audit trail", "Oversight")]
    assert found(browser, "traffic") == [
        *(("Deliveries", "Traffic"), ("Endpoints", "Traffic"), ("Replays", "Traffic")),
        ("Exchanges", "Traffic"),
    ]
    assert found(browser, "tenants") == []
    assert found(browser, "messages") == [("Messages", "WhatsApp")]


def test_every_list_of_the_side_bar_is_found_by_its_name(browser: Browser) -> None:
    groups = [*navigation._GROUPS, *navigation._groups_of_contracts(attention.groups())]
    for group, links in groups:
        for title, *_ in links:
            assert (title, group) in found(browser, title.lower())


@pytest.mark.parametrize("link", attention.groups()["WhatsApp"].links, ids=lambda one: one.title)
def test_a_contract_s_lists_are_called_as_in_the_side_bar(
    browser: Browser, link: attention.Link
) -> None:
    page = browser.get(reverse(f"admin:{link.model}_changelist")).content.decode()
    assert re.findall(r"tracking-tight\">([^<]*)</(?:a|span)>", page) == [link.title]


def test_the_window_of_a_key_has_its_name(browser: Browser, make_flow: Make) -> None:
    (key,) = make_flow("isu").flow.keys.filter(purpose="isu_aes")
    page = browser.get(reverse("admin:tenants_key_change", args=[key.pk])).content.decode()
    title = html.unescape(re.findall(r"<title>(.*?)</title>", page, re.DOTALL)[0])
    assert title.split("|")[0].strip() == f"{key.title} ({key.short_fingerprint})"
    assert "isu_aes" not in title
