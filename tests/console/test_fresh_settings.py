"""What sends a flow's data elsewhere, or switches a flow or client, asks again who is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client as Browser
from django.urls import reverse

from tenants.lifecycle import IssuedFlow
from tenants.models import AuditEntry, Client, Flow
from tests.console.conftest import PASSWORD
from tests.tenants.admin_pages import edit_flow, flow_url, form_of

pytestmark = pytest.mark.django_db
CONFIRM = "/admin/confirm/"


@pytest.fixture
def flow(make_flow: Callable[..., IssuedFlow]) -> Flow:
    return make_flow("citcall").flow


@pytest.fixture
def operator(log_in: Callable[..., Browser], db: None) -> Browser:
    """An operator who gave the password long ago."""
    user = User.objects.create_user("otto", password=PASSWORD, is_staff=True)
    user.groups.add(Group.objects.get(name="Operator"))
    browser = log_in(user)
    session = browser.session
    session["confirmed_at"] = 1
    session.save()
    return browser


def everything() -> tuple[Any, ...]:
    return (
        list(Flow.objects.values()),
        list(Client.objects.values()),
        AuditEntry.objects.count(),
    )


def edit_client(browser: Browser, client: Client, **fields: str | None) -> Any:
    url = reverse("admin:tenants_client_change", args=[client.pk])
    data = {**form_of(browser.get(url).content.decode(), "slug"), **fields}
    return browser.post(url, {name: value for name, value in data.items() if value is not None})


@pytest.mark.parametrize(
    "fields",
    [
        {"backend": "upstream", "upstream_url": "https://evil.example/steal"},
        {"backend": "python", "backend_class": "tests.tenants.own_backend.Echo"},
        {"callback_url": "https://evil.example/cb"},
        {"allowed_networks": "203.0.113.0/24"},
        {"is_enabled": None},
        {"option_max_skew": "77"},
    ],
)
def test_a_stale_session_changes_no_flow(
    operator: Browser, flow: Flow, fields: dict[str, Any]
) -> None:
    before = everything()
    answer = edit_flow(operator, flow, **fields)
    assert (answer.status_code, answer.headers.get("Location", "").partition("?")[0]) == (
        302,
        CONFIRM,
    )
    assert everything() == before
    operator.post(CONFIRM, {"password": PASSWORD})
    assert edit_flow(operator, flow, **fields).status_code == 302
    assert everything() != before


@pytest.mark.parametrize(
    "fields", [{"slug": "other"}, {"is_enabled": None}, {"needs_second_person": "on"}]
)
def test_a_stale_session_switches_no_client(
    operator: Browser, flow: Flow, fields: dict[str, Any]
) -> None:
    before = everything()
    answer = edit_client(operator, flow.client, **fields)
    assert answer["Location"].startswith(CONFIRM)
    assert everything() == before
    operator.post(CONFIRM, {"password": PASSWORD})
    assert edit_client(operator, flow.client, **fields).status_code == 302
    assert everything() != before


def test_what_is_wrong_is_said_before_the_password_is_asked_for(
    operator: Browser, flow: Flow
) -> None:
    assert edit_flow(operator, flow, callback_url="nowhere").status_code == 200


def test_names_and_notes_and_nothing_at_all_ask_for_nothing(operator: Browser, flow: Flow) -> None:
    edit_client(operator, flow.client, name="Renamed", notes="Calls on Mondays.")
    assert Client.objects.get().name == "Renamed"
    assert edit_flow(operator, flow)["Location"] != CONFIRM
    assert operator.get(flow_url(flow)).status_code == 200
