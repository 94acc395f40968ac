"""ISU: pay out, collect by UPI with a QR picture, hear of the payment, ask what became of both."""

from __future__ import annotations

import os
import secrets
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from crypto_schemes import base64_text, isu
from crypto_schemes.base64_text import Base64TextError
from crypto_schemes.ciphers import aes
from crypto_schemes.envelope import SealedRequest
from crypto_schemes.isu import IsuOptions
from crypto_schemes.json_text import JSONValue
from crypto_schemes.keys import Credentials, KeyVersion
from crypto_schemes.scheme import read_json, write_json
from script.partner_demo import expectations as expect
from script.partner_demo.partner import Partner
from script.partner_demo.play import Play

_STATUS: Final = "/payout/statuscheck/txnreport"
_UPI: Final = "/upi/initiate-dynamic-transaction"
_PNG: Final = b"\x89PNG\r\n\x1a\n"
#: Where the QR picture is kept: beside the data of the server of this checkout.
_PICTURE: Final = Path(os.environ.get("SEALGATE_VAR", "var"), "demo", "upi-qr.png")
_POLL_SECONDS: Final = 0.5
#: Paise choose the sandbox's story: .02 is in progress first, .04 is paid.
_PAYOUT_AMOUNT: Final = "1250.02"
_UPI_AMOUNT: Final = "499.04"
_INVALID: Final = b'{"status":-1,"statusDesc":"Invalid header secrets"}'


def steps(partner: Partner) -> None:
    """Seal header and body, send, open; then UPI with its callback, then the status."""
    payout = _pay_out(partner)
    _collect(partner)
    _ask_until_settled(partner, payout)
    _what_is_refused(partner, payout)


def _pay_out(partner: Partner) -> JSONValue:
    """Pay out, showing every intermediate form, and return the request."""
    scene, bundle = partner.scene, partner.bundle
    scene.step("Write the payout as JSON, and who asks, and when")
    request: JSONValue = {
        "beneName": "Asha Rao",
        "beneAccountNo": "000111222333",
        "beneifsc": "SBIN0000001",
        "benePhoneNo": "9000000001",
        "beneBankName": "State Bank of India",
        "clientReferenceNo": f"DEMO{secrets.token_hex(6).upper()}",
        "amount": _PAYOUT_AMOUNT,
        "fundTransferType": "IMPS",
        "pincode": "560001",
        "custName": "Ravi Iyer",
        "custMobNo": "9000000002",
        "latlong": "12.9716,77.5946",
        "paramA": "",
        "paramB": "",
    }
    now = int(time.time())
    who = {
        "client_id": bundle["client_id"],
        "client_secret": bundle["client_secret"],
        "epoch": str(now),
    }
    scene.json(request)
    scene.json(who)

    scene.step("Encrypt both: AES-256-CBC, a random IV in front, base64")
    key = base64_text.decode(bundle["aes_key_base64"])
    header_iv, body_iv = secrets.token_bytes(aes.BLOCK), secrets.token_bytes(aes.BLOCK)
    header = base64_text.encode(header_iv + aes.cbc_encrypt(key, header_iv, write_json(who)))
    data = base64_text.encode(body_iv + aes.cbc_encrypt(key, body_iv, write_json(request)))
    scene.values(
        [
            ("key", "base64 decoded, 32 bytes", key),
            ("IV", "of the header, 16 random bytes", header_iv),
            ("header_secrets", "IV + AES(key, IV, who)", header),
            ("RequestData", "IV + AES(key, IV, payout)", data),
        ]
    )
    by_scheme = partner.seal(request, now=now)
    expect.same("the opened header_secrets", _opened(key, header), who)
    expect.same(
        "the header_secrets of crypto_schemes, opened by hand",
        _opened(key, by_scheme.headers["header-secrets"]),
        who,
    )
    scene.ok("crypto_schemes.isu makes the same, under IVs of its own")

    scene.step("Send it; both header names have underscores")
    sealed = SealedRequest(
        body=write_json({"RequestData": data}),
        headers={
            "content-type": "application/json",
            "pass-key": bundle["pass_key"],
            "header-secrets": header,
        },
    )
    answer = partner.send(sealed)

    scene.step("Open the answer: the first 16 bytes are its IV")
    reply = partner.open(answer, sealed)
    scene.json(reply)
    expect.same(
        "the answer, opened by hand",
        _opened(key, expect.text(answer.json(), "ResponseData")),
        reply,
    )
    expect.same("status", expect.member(reply, "status"), "INPROGRESS")
    expect.same("subStatus", expect.member(reply, "subStatus"), 1)
    for name in ("clientReferenceNo", "amount", "beneAccountNo"):
        expect.same(name, expect.member(reply, name), request[name])
    scene.ok("The payout is under way; we shall ask for it later")
    return request | {"transactionId": expect.text(reply, "transactionId")}


def _collect(partner: Partner) -> None:
    """Ask for a QR picture, keep it, and receive the callback of the payment."""
    scene = partner.scene
    scene.step("Ask for a UPI payment with a QR picture")
    request: JSONValue = {
        "payeeVPA": "demo.shop@sandbox",
        "paymentMode": "QR",
        "txnAmount": _UPI_AMOUNT,
        "channelId": "WEB",
        "txnNote": "Two tickets",
        "clientRefId": f"DEMO{secrets.token_hex(6).upper()}",
        "merchantType": "SMALL",
        "expiryTime": "5",
        "mobilenumber": "9000000003",
    }
    scene.json(request)
    sealed = partner.seal(request)
    reply = partner.open(partner.send(sealed, path=_UPI), sealed)
    scene.say("Opened:")
    scene.json(reply)
    expect.same("status", expect.member(reply, "status"), "SUCCESS")
    expect.same("clientRefId", expect.member(reply, "clientRefId"), request["clientRefId"])
    link = expect.text(reply, "intentData")
    expect.holds("intentData", link, link.startswith("upi://pay?"), "a upi://pay address")
    picture = _picture(expect.text(reply, "qrData"))
    _PICTURE.parent.mkdir(parents=True, exist_ok=True)
    _PICTURE.write_bytes(picture)
    width, height = (int.from_bytes(picture[at : at + 4]) for at in (16, 20))
    scene.ok(f"QR picture: {_PICTURE}, {width} x {height} pixels, {len(picture)} bytes of PNG")

    scene.step("Receive the callback once it is paid; it proves itself by both headers")
    transaction = expect.text(reply, "txnId")
    called_back = partner.await_callback(
        "somebody pays", lambda value: isinstance(value, dict) and value.get("txnId") == transaction
    )
    for name, expected in (
        ("status", "SUCCESS"),
        ("statusCode", 0),
        ("txnAmt", _UPI_AMOUNT),
        ("clientRefId", request["clientRefId"]),
        ("payee_vpa", request["payeeVPA"]),
    ):
        expect.same(f"the callback's {name}", expect.member(called_back, name), expected)
    rrn = expect.text(called_back, "rrn")
    scene.ok(f"header_secrets opened and checked; paid, bank reference {rrn}")


def _ask_until_settled(partner: Partner, payout: JSONValue) -> None:
    scene = partner.scene
    scene.step("Ask what became of the payout")
    today = datetime.now(UTC)
    question: JSONValue = {
        "$1": "Cashout_addbank_status",
        "$4": (today - timedelta(days=1)).date().isoformat(),
        "$5": (today + timedelta(days=1)).date().isoformat(),
        "$6": payout["clientReferenceNo"],
        "$10": payout["transactionId"],
    }
    scene.json(question)
    with scene.screen.waiting("Waiting until the payout has settled"):
        deadline = time.monotonic() + partner.callback_seconds
        while time.monotonic() < deadline:
            sealed = partner.seal(question)
            report = partner.open(partner.ask_quietly(sealed, path=_STATUS), sealed)
            if expect.member(report, "results", 0, "status") != "INPROGRESS":
                break
            time.sleep(_POLL_SECONDS)
    sealed = partner.seal(question)
    report = partner.open(partner.send(sealed, path=_STATUS), sealed)
    scene.say("Opened:")
    scene.json(report)
    expect.same("length", expect.member(report, "length"), 1)
    for name, expected in (
        ("status", "SUCCESS"),
        ("clientReferenceNo", payout["clientReferenceNo"]),
        ("amount", _PAYOUT_AMOUNT),
    ):
        expect.same(name, expect.member(report, "results", 0, name), expected)
    scene.ok("Settled, and still one payout")


def _what_is_refused(partner: Partner, payout: JSONValue) -> None:
    scene = partner.scene
    scene.step("And what is refused")
    again = {name: value for name, value in payout.items() if name != "transactionId"}
    sealed = partner.seal(again)
    refused = partner.open(partner.ask_quietly(sealed, path=partner.path), sealed)
    shown = f"{expect.text(refused, 'status')} {expect.text(refused, 'statusDesc')}, sealed"
    scene.probe("the same clientReferenceNo again", shown)
    expect.same("status", refused["status"], "FAILED")
    expect.same("statusDesc", refused["statusDesc"], "Duplicate clientReferenceNo")
    partner.probe(
        "the same header_secrets again", sealed, expected_status=401, expected_body=_INVALID
    )
    partner.probe(
        "another AES key",
        _under_another_key(partner, again),
        expected_status=401,
        expected_body=_INVALID,
    )


def _opened(key: bytes, value: str) -> JSONValue:
    """Return the JSON inside a sealed value, as a partner's own code opens it."""
    try:
        message = base64_text.decode(value)
        padded, text = aes.cbc_decrypt(key, message[: aes.BLOCK], message[aes.BLOCK :])
    except (Base64TextError, aes.AESDecryptionError):
        expect.fail("a sealed value", value, "base64 of an IV and whole blocks")
    expect.holds("a sealed value", value, padded, "PKCS#7 padding inside")
    return read_json(text)


def _picture(qr_data: str) -> bytes:
    try:
        picture = base64_text.decode(qr_data)
    except Base64TextError:
        picture = b""
    expect.holds("qrData", qr_data, picture.startswith(_PNG), "base64 of a PNG")
    return picture


def _under_another_key(partner: Partner, request: JSONValue) -> SealedRequest:
    own = partner.credentials
    stranger = KeyVersion("stranger", "isu_aes", 1, secrets.token_bytes(32))
    versions = dict(own.versions) | {"isu_aes": (stranger,)}
    credentials = Credentials(own.identity, versions)
    return isu.SCHEME.seal_request(request, credentials, IsuOptions(), now=time.time())


def _on_the_wire(name: str) -> str:
    return {"pass-key": "pass_key", "header-secrets": "header_secrets"}.get(name, name)


PLAY: Final = Play(
    scheme="isu",
    title="ISU",
    subtitle="payouts and UPI · AES-256-CBC, header and body",
    steps=steps,
    on_the_wire=_on_the_wire,
    callback_reply=b'{"status":0,"statusDesc":"Taken"}',
)
