"""The administrators' view: read only, and nothing of a user in it."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.test import Client as HttpClient

from tests.flows_endpoint.whatsapp_flows import test_appointment_story as story
from tests.flows_endpoint.whatsapp_flows.platform import TOKEN, Phone

pytestmark = pytest.mark.django_db
MODELS = ["appointment", "errorreport", "stepreply", "webhookupdate"]


@pytest.fixture
def filled(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> Phone:
    """A flow with a row in each table."""
    monkeypatch.setattr("flows_endpoint.whatsapp_flows.slots._TAKEN_BEFOREHAND", 0)
    phone.step("SUMMARY", {**story._chosen(), **story.PERSON, "terms": True})
    phone.step("SUMMARY", {"error": "E", "error_message": "secret-detail"})
    phone.deliver({"entry": [{"changes": [{"field": "messages", "value": "secret-detail"}]}]})
    return phone


@pytest.fixture
def admin(client: HttpClient) -> HttpClient:
    user: Any = get_user_model()
    client.force_login(user.objects.create_superuser("root", password="not-used-here"))
    return client


@pytest.mark.parametrize("model", MODELS)
def test_lists_and_rows_show_no_personal_data(filled: Phone, admin: HttpClient, model: str) -> None:
    listing = admin.get(f"/admin/whatsapp_flows/{model}/")
    assert listing.status_code == 200
    assert "1 " in listing.content.decode()
    row = apps.get_model("whatsapp_flows", model)._default_manager.get()
    page = admin.get(f"/admin/whatsapp_flows/{model}/{row.pk}/change/")
    assert page.status_code == 200
    for text in (listing.content.decode(), page.content.decode()):
        for secret in ("zoe@example.org", "secret-detail", TOKEN, "Zoë"):
            assert secret not in text


@pytest.mark.parametrize("model", MODELS)
def test_nothing_can_be_changed(filled: Phone, admin: HttpClient, model: str) -> None:
    row = apps.get_model("whatsapp_flows", model)._default_manager.get()
    for path in ("add/", f"{row.pk}/delete/", f"{row.pk}/change/"):
        response = admin.post(f"/admin/whatsapp_flows/{model}/{path}", {"post": "yes"})
        assert response.status_code == 403
