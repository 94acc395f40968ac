"""The page of a client lists its flows, each with its state and a link, for who may see them."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pytest
from django.test import Client as Browser
from django.urls import reverse

from tenants import lifecycle
from tenants.actors import Actor
from tenants.lifecycle import IssuedFlow
from tenants.models import Client, Flow
from tests.tenants.admin_pages import flow_url

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("quick_keys")]
Make = Callable[..., IssuedFlow]


def page_of(browser: Browser, client: Client) -> str:
    answer = browser.get(reverse("admin:tenants_client_change", args=[client.pk]))
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


def row_of(page: str, flow: Flow) -> str:
    """Return the words in the row of ``flow``."""
    (row,) = (row for row in re.findall(r"<tr>(.*?)</tr>", page, re.S) if flow_url(flow) in row)
    return " ".join(re.sub(r"<[^>]+>", " ", row).split())


def test_flows_with_contract_and_state(
    administrator: Browser, make_flow: Make, client_row: Client, actor: Actor
) -> None:
    first = make_flow("citcall", address="partner01").flow
    second = make_flow("isu", address="partner02").flow
    lifecycle.update_flow(actor, second, {"is_enabled": False})
    page = page_of(administrator, client_row)
    assert row_of(page, first).startswith(f"partner01 {first.contract.title} on sandbox ")
    assert row_of(page, second).startswith(f"partner02 {second.contract.title} off sandbox ")
    assert f"{reverse('admin:tenants_flow_add')}?client={client_row.pk}" in page
    lifecycle.update_client(actor, client_row, {"is_enabled": False})
    page = page_of(administrator, client_row)
    assert "off with its client" in row_of(page, first)


def test_of_many_flows_the_first_and_a_link_to_all(
    administrator: Browser, make_flow: Make, client_row: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tenants.admin.client._LISTED", 1)
    first = make_flow("citcall", address="partner01").flow
    other = make_flow("isu", address="partner02").flow
    page = page_of(administrator, client_row)
    assert row_of(page, first)
    assert flow_url(other) not in page
    link = f"{reverse('admin:tenants_flow_changelist')}?client__id__exact={client_row.pk}"
    assert f'href="{link}">All 2 of them</a>' in page
    assert "partner02" in administrator.get(link).content.decode()


def test_without_flows_it_says_so(administrator: Browser, client_row: Client) -> None:
    page = page_of(administrator, client_row)
    assert "None yet." in page
    assert "All 0" not in page


def test_flows_are_for_who_may_see_them_and_the_button_for_who_may_add(
    sign_in: Callable[..., Browser], make_flow: Make, client_row: Client
) -> None:
    flow = make_flow("citcall").flow
    blind = page_of(sign_in("view_client"), client_row)
    assert flow.address not in blind
    assert "flows-of-client" not in blind
    viewer = page_of(sign_in("view_client", "view_flow"), client_row)
    assert row_of(viewer, flow)
    assert reverse("admin:tenants_flow_add") not in viewer
    adder = page_of(sign_in("view_client", "view_flow", "add_flow"), client_row)
    assert f"{reverse('admin:tenants_flow_add')}?client={client_row.pk}" in adder


def test_a_new_client_has_no_list(administrator: Browser) -> None:
    page = administrator.get(reverse("admin:tenants_client_add")).content.decode()
    assert "flows-of-client" not in page


def test_the_list_counts_the_flows(
    administrator: Browser, make_flow: Make, client_row: Client, actor: Actor
) -> None:
    make_flow("citcall")
    make_flow("isu")
    lifecycle.create_client(actor, slug="other")
    answer = administrator.get(reverse("admin:tenants_client_changelist"))
    rows = {row.slug: row.flows_in_all for row in answer.context["cl"].result_list}
    assert rows == {"acme": 2, "other": 0}
