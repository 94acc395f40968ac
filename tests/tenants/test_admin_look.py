"""The theme: every page of the admin opens in it, and links where it says it does."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client as Browser
from django.urls import reverse
from django.utils import timezone

from console import navigation
from flows_endpoint.models import ExchangeRow
from tenants.admin.flow_form import FlowForm, NewFlowForm, form_for
from tenants.lifecycle import IssuedFlow
from tests.callbacks.outbox import put
from tests.tenants.admin_pages import flow_url

pytestmark = [pytest.mark.django_db, pytest.mark.once, pytest.mark.usefixtures("quick_keys")]
Make = Callable[..., IssuedFlow]
LISTS = sorted(
    f"{model._meta.app_label}_{model._meta.model_name}" for model in admin.site._registry
)


@pytest.mark.parametrize("name", LISTS)
def test_every_list_opens_in_the_theme(administrator: Browser, name: str) -> None:
    answer = administrator.get(reverse(f"admin:{name}_changelist"))
    assert answer.status_code == 200
    assert "unfold/css/styles" in answer.content.decode()


def test_the_side_bar_offers_what_a_person_may_open(sign_in: Callable[..., Browser]) -> None:
    page = sign_in("view_flow").get(reverse("admin:index")).content.decode()
    assert reverse("admin:tenants_flow_changelist") in page
    for other in ("tenants_client", "tenants_key", "auth_user", "callbacks_delivery"):
        assert reverse(f"admin:{other}_changelist") not in page


@pytest.mark.parametrize("scheme", ["kairos", "citcall", "isu", "whatsapp_flows", "flynn"])
@pytest.mark.parametrize("base", [FlowForm, NewFlowForm])
def test_every_field_wears_the_theme(scheme: str, base: type[FlowForm]) -> None:
    for name, field in form_for(scheme, base)().fields.items():
        worn = field.widget
        assert worn.is_hidden or type(worn).__module__ == "unfold.widgets", name


def test_the_page_of_a_flow_shows_its_latest_traffic_to_who_may_see_it(
    administrator: Browser, sign_in: Callable[..., Browser], make_flow: Make
) -> None:
    flow = make_flow("citcall", callback_url="https://partner.example/").flow
    row = ExchangeRow.objects.create(
        at=timezone.now(),
        request_id="request-0123456789",
        flow=flow,
        scheme="citcall",
        operation="asynccall",
        outcome="ok",
        http_status=200,
        milliseconds=1.0,
        request_size=10,
    )
    delivery = put(flow, {"otp": "913742"}, subject="trx-1")
    page = html.unescape(administrator.get(flow_url(flow)).content.decode())
    assert reverse("admin:flows_endpoint_exchangerow_change", args=[row.pk]) in page
    assert reverse("admin:callbacks_delivery_change", args=[delivery.pk]) in page
    assert "request-0123456789" in page
    assert "913742" not in page
    others = sign_in("view_flow").get(flow_url(flow)).content.decode()
    assert "request-0123456789" not in others
    assert "call.ended" not in others


def test_keys_are_called_as_on_the_page_of_their_flow(
    administrator: Browser, make_flow: Make
) -> None:
    key = make_flow("whatsapp_flows", address="partner01").flow.keys.get(purpose="upstream_signing")
    for url in (
        reverse("admin:tenants_key_changelist"),
        reverse("admin:tenants_key_change", args=[key.pk]),
    ):
        page = html.unescape(administrator.get(url).content.decode())
        assert "Upstream signing secret version 1" in page
        # It stands in the address of a filter, and in the title of the window.
        seen = re.sub(r"<title>.*?</title>|<[^>]*>", "", page, flags=re.S).lower()
        assert "upstream_signing" not in seen
        assert "public pem" not in seen
    listed = administrator.get(reverse("admin:tenants_key_changelist")).content.decode()
    assert "WhatsApp Flows<br>partner01" in listed
    assert "opens and seals" not in re.sub(r"<a [^>]*>.*?</a>", "", listed, flags=re.S)


def test_the_path_above_a_page_has_names_as_they_are(
    administrator: Browser, make_flow: Make
) -> None:
    flow = make_flow(
        "whatsapp_flows", address="partner01", callback_url="https://partner.example/"
    ).flow
    delivery = put(flow, {}, subject="trx-1")
    pages = {
        flow_url(flow): ["Flows", "whatsapp_flows partner01"],
        reverse("admin:callbacks_delivery_change", args=[delivery.pk]): [
            *("Deliveries", f"call.ended {delivery.pk}"),
        ],
        reverse("admin:tenants_flow_changelist"): ["Flows"],
    }
    for url, names in pages.items():
        page = html.unescape(administrator.get(url).content.decode())
        found = re.findall(r"tracking-tight\">([^<]*)</(?:a|span)>", page)
        assert found == names, url


@pytest.mark.parametrize("group", navigation._GROUPS, ids=lambda group: group[0])
def test_the_side_bar_and_the_pages_have_one_word_for_one_thing(
    administrator: Browser, group: tuple[str, tuple[tuple[str, str, str, str], ...]]
) -> None:
    for title, _, model, _ in group[1]:
        page = administrator.get(reverse(f"admin:{model}_changelist")).content.decode()
        assert re.findall(r"tracking-tight\">([^<]*)</(?:a|span)>", page) == [title]


def test_the_page_of_a_person_knows_no_other_words(administrator: Browser) -> None:
    person = User.objects.get(is_superuser=True)
    page = administrator.get(reverse("admin:auth_user_change", args=[person.pk])).content.decode()
    seen = re.sub(r"<select.*?</select>|<[^>]*>", " ", page, flags=re.S).lower()
    assert "roles" in seen
    assert "groups" not in seen
    call_command("makemigrations", "--check", "--dry-run", "--verbosity", "0")
