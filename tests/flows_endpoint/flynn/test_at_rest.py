"""Nothing a partner sent, and no password or token, stands in clear in any table."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from django.apps import apps
from django.core import serializers

from flows_endpoint.flynn.models import Invoice
from tests.flows_endpoint.flynn.partner import BUYER, EINV, EINV_EWB, SECRETS, Partner

pytestmark = pytest.mark.django_db
NAME = "Zyxwvut Traders"


def dump() -> str:
    rows = [row for model in apps.get_models() for row in model._default_manager.all()]
    return str(serializers.serialize("json", rows))


def test_no_table_and_no_log_tells(
    partner: Partner, caplog: pytest.LogCaptureFixture, make_partner: Callable[..., Partner]
) -> None:
    caplog.set_level(logging.DEBUG)
    data = partner.register("QQ-778/31", BuyerDtls__LglNm=NAME)
    order = {"Irn": data["Irn"], "Distance": 984, "VehNo": "KA55ZZ4321"}
    assert partner.call(EINV_EWB, order).status_code == 200
    partner.make_eway_bill("WW-445/12", toTrdName=NAME, vehicleNo="MH77YY8765")
    partner.send("GET", SECRETS, headers=partner.headers({"data": "a very private text"}))
    partner.call(EINV, partner.invoice("QQ-778/31"))
    partner.call(EINV, b'{"Version": "Zyxwvut')
    told = dump() + caplog.text + str([record.__dict__ for record in caplog.records])
    for secret in (
        NAME,
        "Zyxwvut",
        "QQ-778/31",
        "WW-445/12",
        "KA55ZZ4321",
        "MH77YY8765",
        BUYER,
        "a very private text",
        data["Irn"],
        partner.bundle["password"],
        partner.bundle["portal_password"],
        partner.token,
        partner.rek.key.hex(),
    ):
        assert secret not in told


def test_a_record_opens_in_its_own_row_only(partner: Partner) -> None:
    first, second = partner.register("A/1"), partner.register("A/2")
    one, two = Invoice.objects.order_by("created_at")
    Invoice.objects.filter(pk=two.pk).update(record=one.record)
    reply = partner.call(f"{EINV}/irn/{second['Irn']}", method="GET")
    assert reply.status_code == 503
    assert partner.call(f"{EINV}/irn/{first['Irn']}", method="GET").status_code == 200
