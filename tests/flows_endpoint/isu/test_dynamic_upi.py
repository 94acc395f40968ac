"""Dynamic UPI: the link, the picture, and the callback once it ended."""

from __future__ import annotations

import base64
import io
import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import segno
from django.utils import timezone

from callbacks.models import Delivery
from crypto_schemes.isu import SCHEME, IsuOptions
from crypto_schemes.json_text import JSONValue
from flows_endpoint import timers
from flows_endpoint.isu.models import Collection
from flows_endpoint.models import Timer
from tenants.keyring import keyring
from tests.flows_endpoint.isu.conftest import MakePartner
from tests.flows_endpoint.isu.partner import Partner, delivered_body, upi

pytestmark = pytest.mark.django_db
CALLBACK = [
    "txnAmt",
    "transaction_note",
    "txnId",
    "paymentMode",
    "status",
    "statusCode",
    "statusDesc",
    "transaction_date",
    "payer_vpa",
    "payee_vpa",
    "customerName",
    "rrn",
    "clientRefId",
    "parama",
    "paramb",
    "paramc",
]


def end_waiting() -> int:
    Timer.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    return timers.run_due()


def test_a_qr_picture_shows_the_link(partner: Partner) -> None:
    sent = upi()
    answer = partner.ask("dynamic_upi", sent)
    assert list(answer) == [
        "amount",
        "clientRefId",
        "intentData",
        "payeeVPA",
        "payerVPA",
        "paymentState",
        "qrData",
        "status",
        "statusCode",
        "statusDesc",
        "txnId",
    ]
    row = Collection.objects.get()
    assert answer["txnId"] == row.id.hex
    assert (answer["amount"], answer["clientRefId"]) == (sent["txnAmount"], sent["clientRefId"])
    assert (answer["status"], answer["statusCode"]) == ("SUCCESS", 0)
    assert (answer["paymentState"], row.state) == ("INITIATED", "INITIATED")
    assert parse_qs(urlsplit(answer["intentData"]).query) == {
        "pa": ["demo.shop@sandbox"],
        "pn": ["Sealgate Sandbox"],
        "tr": [answer["txnId"]],
        "tn": ["Order 1001"],
        "am": ["250.02"],
        "cu": ["INR"],
    }
    assert answer["intentData"].startswith("upi://pay?pa=demo.shop@sandbox&")
    picture = base64.b64decode(answer["qrData"], validate=True)
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    drawn = io.BytesIO()
    segno.make(answer["intentData"], error="m", micro=False).save(
        drawn, kind="png", scale=5, border=4
    )
    assert picture == drawn.getvalue()


def test_an_intent_has_the_link_alone(partner: Partner) -> None:
    answer = partner.ask("dynamic_upi", upi(paymentMode="INTENT", txnNote="Ärger & Co = 5%"))
    assert answer["qrData"] == ""
    query = parse_qs(urlsplit(answer["intentData"]).query)
    assert query["tn"] == ["Ärger & Co = 5%"]


@pytest.mark.parametrize(
    ("paise", "state", "told"),
    [
        ("01", "FAILED", ("FAILED", -1, "Transaction declined by the payer's bank")),
        ("02", "SUCCESS", ("SUCCESS", 0, "Transaction successful")),
        ("03", "EXPIRED", ("FAILED", -1, "Transaction expired")),
        ("04", "SUCCESS", ("SUCCESS", 0, "Transaction successful")),
    ],
)
def test_the_ending_is_told_once(
    partner: Partner, paise: str, state: str, told: tuple[str, int, str]
) -> None:
    sent = upi(txnAmount=f"99.{paise}", parama="one", paramc="three")
    answer = partner.ask("dynamic_upi", sent)
    assert not Delivery.objects.exists()
    assert end_waiting() == 1
    row = Collection.objects.get()
    assert row.state == state
    assert row.ended_at is not None
    delivery = Delivery.objects.get()
    assert (delivery.event, delivery.subject) == ("dynamic_upi.ended", answer["txnId"])
    assert delivery.state == "pending"
    body = delivered_body(delivery)
    assert list(body) == CALLBACK
    assert (body["status"], body["statusCode"], body["statusDesc"]) == told
    assert body["txnAmt"] == sent["txnAmount"]
    assert body["transaction_note"] == "Order 1001"
    assert body["txnId"] == answer["txnId"]
    assert body["paymentMode"] == "QR"
    assert body["payee_vpa"] == "demo.shop@sandbox"
    assert body["clientRefId"] == sent["clientRefId"]
    assert (body["parama"], body["paramb"], body["paramc"]) == ("one", "", "three")
    tried = state != "EXPIRED"
    assert (bool(body["rrn"]), bool(body["payer_vpa"]), bool(body["customerName"])) == (tried,) * 3
    # The row that says it happened and the one that tells it are made together, once.
    timers.schedule(str(partner.flow.id), "isu.settle_collection", str(row.id), timezone.now())
    assert timers.run_due() == 1
    assert Delivery.objects.count() == 1


def test_nobody_is_told_without_a_callback_url(make_partner: MakePartner) -> None:
    partner = make_partner()
    partner.ask("dynamic_upi", upi())
    assert end_waiting() == 1
    assert Collection.objects.get().state == "SUCCESS"
    assert not Delivery.objects.exists()


def test_an_expiry_takes_its_minutes(partner: Partner) -> None:
    before = timezone.now()
    partner.ask("dynamic_upi", upi(txnAmount="10.03", expiryTime="30"))
    waited = Timer.objects.get().due_at - before
    assert timedelta(minutes=30) <= waited < timedelta(minutes=31)


@pytest.mark.parametrize("form", ["plain", "sealed"])
def test_the_delivered_body_opens_as_a_callback(make_partner: MakePartner, form: str) -> None:
    partner = make_partner(options={"callback_body": form}, callback_url="https://p.example/")
    partner.ask("dynamic_upi", upi())
    end_waiting()
    body = delivered_body(Delivery.objects.get())
    snapshot = keyring.by_flow_id(str(partner.flow.id))
    assert snapshot is not None
    sealed = SCHEME.seal_callback(body, snapshot.credentials(), snapshot.options, now=1_000.0)
    assert sealed.headers["pass_key"] == partner.given["pass_key"]
    assert ("RequestData" in json.loads(sealed.body)) == (form == "sealed")
    opened = SCHEME.open_callback(
        sealed.body,
        sealed.headers,
        partner.credentials,
        IsuOptions.from_mapping({"callback_body": form}),
        now=1_000.0,
    )
    assert opened == body


BAD_MEMBERS: list[tuple[str, JSONValue]] = [
    ("payeeVPA", "no-at-sign"),
    ("payeeVPA", "a@b@c"),
    ("payeeVPA", "a b@bank"),
    ("payeeVPA", 5),
    ("paymentMode", "qr"),
    ("paymentMode", "LINK"),
    ("txnAmount", 100),
    ("txnAmount", 100.5),
    ("txnAmount", "0.99"),
    ("txnAmount", "0"),
    ("txnAmount", "100000.01"),
    ("txnAmount", "1.001"),
    ("txnAmount", "1e2"),
    ("txnAmount", "-5"),
    ("txnAmount", ""),
    ("channelId", ""),
    ("channelId", "x" * 33),
    ("txnNote", "x" * 81),
    ("txnNote", "a\nb"),
    ("clientRefId", "A" * 9),
    ("clientRefId", "A" * 20),
    ("clientRefId", "ABCDEFGH_1"),
    ("clientRefId", 1234567890),
    ("merchantType", 1),
    ("expiryTime", "0"),
    ("expiryTime", "31"),
    ("expiryTime", "05"),
    ("expiryTime", 5),
    ("mobilenumber", "900000000"),
    ("mobilenumber", 9000000003),
    ("parama", 1),
]


def failure(sent: dict[str, JSONValue], text: str) -> dict[str, JSONValue]:
    return {
        "amount": sent.get("txnAmount", ""),
        "clientRefId": sent.get("clientRefId", ""),
        "intentData": "",
        "payeeVPA": sent.get("payeeVPA", ""),
        "payerVPA": "",
        "paymentState": "FAILED",
        "qrData": "",
        "status": "FAILED",
        "statusCode": -1,
        "statusDesc": text,
        "txnId": "",
    }


def test_a_bad_or_missing_member_is_named_in_a_sealed_failure(partner: Partner) -> None:
    wrong = []
    for name, value in BAD_MEMBERS:
        sent = upi(**{name: value})
        answer = partner.ask("dynamic_upi", sent)
        if answer != failure(sent, f"Invalid {name}"):
            wrong.append((name, value, answer))
    for name in upi():
        sent = {member: value for member, value in upi().items() if member != name}
        answer = partner.ask("dynamic_upi", sent)
        if answer != failure(sent, f"{name} is missing"):
            wrong.append((name, None, answer))
    assert not wrong
    assert not Collection.objects.exists()
    assert not Timer.objects.exists()


@pytest.mark.parametrize("amount", ["1", "1.0", "100000", "100000.00", "0001.00"])
def test_the_edges_of_an_amount(partner: Partner, amount: str) -> None:
    answer = partner.ask("dynamic_upi", upi(txnAmount=amount))
    assert answer["amount"] == amount
    assert f"&am={float(amount):.2f}&" in answer["intentData"]


def test_a_repeated_reference_is_refused(partner: Partner) -> None:
    sent = upi()
    first = partner.ask("dynamic_upi", sent)
    again = partner.ask("dynamic_upi", {**sent, "txnAmount": "9.00"})
    assert (again["status"], again["statusDesc"]) == ("FAILED", "Duplicate clientRefId")
    assert Collection.objects.get().id.hex == first["txnId"]
    assert Timer.objects.count() == 1


def test_nothing_a_partner_sent_stands_in_clear(partner: Partner) -> None:
    sent = upi()
    partner.ask("dynamic_upi", sent)
    end_waiting()
    stored: list[Any] = [*Collection.objects.values().get().values()]
    stored += Delivery.objects.values().get().values()
    text = " ".join(str(bytes(item) if isinstance(item, memoryview) else item) for item in stored)
    for value in ("demo.shop", "250.02", "9000000003", "Order 1001", str(sent["clientRefId"])):
        assert value not in text
