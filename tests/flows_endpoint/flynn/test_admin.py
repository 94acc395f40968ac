"""The admin shows ids, states and times, and changes nothing."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client as Http

from flows_endpoint.flynn.models import EwayBill, Invoice
from tests.flows_endpoint.flynn.partner import BUYER, EINV_EWB, Partner

pytestmark = pytest.mark.django_db


def test_lists_and_rows_open_and_tell_nothing(partner: Partner) -> None:
    data = partner.register("QQ/77")
    order = {"Irn": data["Irn"], "Distance": 984, "VehNo": "KA55ZZ4321"}
    assert partner.call(EINV_EWB, order).status_code == 200
    staff = Http()
    staff.force_login(User.objects.create_superuser("root"))
    rows = {
        "account": None,
        "usersession": None,
        "portalsession": None,
        "invoice": Invoice.objects.get().pk,
        "ewaybill": EwayBill.objects.get().pk,
    }
    for name, key in rows.items():
        pages = [f"/admin/flynn/{name}/"]
        if key:
            pages.append(f"/admin/flynn/{name}/{key}/change/")
        for page in pages:
            reply = staff.get(page)
            assert reply.status_code == 200, page
            shown = reply.content.decode()
            for secret in ("QQ/77", BUYER, "KA55ZZ4321", data["Irn"]):
                assert secret not in shown
        assert staff.get(f"/admin/flynn/{name}/add/").status_code == 403
    reply = staff.post(f"/admin/flynn/invoice/{rows['invoice']}/delete/", {"post": "yes"})
    assert reply.status_code == 403
