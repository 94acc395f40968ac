"""The admin shows ids, states and times of the sandbox, and lets nobody write."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client as Http

from flows_endpoint.citcall.models import FirstReply, MissedCall
from tests.flows_endpoint.citcall.partner import Partner

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client: Http) -> Http:
    client.force_login(User.objects.create_superuser("root", password="only for this test"))
    return client


def test_no_page_shows_personal_data(partner: Partner, admin: Http) -> None:
    reply = partner.call()
    call, first = MissedCall.objects.get(), FirstReply.objects.get()
    for path in (
        "/admin/citcall/missedcall/",
        f"/admin/citcall/missedcall/{call.pk}/change/",
        "/admin/citcall/firstreply/",
        f"/admin/citcall/firstreply/{first.pk}/change/",
    ):
        response = admin.get(path)
        page = response.content.decode()
        assert response.status_code == 200
        for secret in ("81200000001", reply["token"], "A-1"):
            assert secret not in page
    assert call.trxid in admin.get("/admin/citcall/missedcall/").content.decode()


def test_nobody_writes(partner: Partner, admin: Http) -> None:
    partner.call()
    call = MissedCall.objects.get()
    assert admin.get("/admin/citcall/missedcall/add/").status_code == 403
    assert admin.post(f"/admin/citcall/missedcall/{call.pk}/delete/").status_code == 403
    assert admin.post(f"/admin/citcall/missedcall/{call.pk}/change/", {}).status_code == 403
    assert MissedCall.objects.count() == 1
