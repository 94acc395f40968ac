"""Bad requests: each meets its exact error, and nothing is written but the log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from crypto_schemes import base64_text
from crypto_schemes.ciphers import aes, rsa
from crypto_schemes.flynn import Mode, Session
from flows_endpoint.flynn.models import UserSession
from tests.flows_endpoint.flynn.partner import (
    DROP,
    EINV,
    EINV_EWB,
    EINV_V1,
    EWAY,
    EWAY_V1,
    Partner,
    changed,
    counts,
    error_of,
    portal_code,
)
from tests.support.test_keys import committed_rsa_key

pytestmark = pytest.mark.django_db

INVOICE_CASES: list[tuple[str, dict[str, Any]]] = [
    ("body.Version", {"Version": DROP}),
    ("body.Version", {"Version": None}),
    ("body.Version", {"Version": 1.1}),
    ("body.Version", {"Version": "one"}),
    ("body.Version", {"Version": "1.1\n"}),
    ("body.TranDtls", {"TranDtls": DROP}),
    ("body.TranDtls", {"TranDtls": []}),
    ("body.TranDtls.TaxSch", {"TranDtls__TaxSch": "VAT"}),
    ("body.TranDtls.SupTyp", {"TranDtls__SupTyp": ["B2B"]}),
    ("body.TranDtls.SupTyp", {"TranDtls__SupTyp": "b2b"}),
    ("body.DocDtls", {"DocDtls": "INV"}),
    ("body.DocDtls.Typ", {"DocDtls__Typ": DROP}),
    ("body.DocDtls.No", {"DocDtls__No": ""}),
    ("body.DocDtls.No", {"DocDtls__No": "0123"}),
    ("body.DocDtls.No", {"DocDtls__No": "A" * 17}),
    ("body.DocDtls.No", {"DocDtls__No": "A\u0000B"}),
    ("body.DocDtls.No", {"DocDtls__No": "Ä/1"}),
    ("body.DocDtls.No", {"DocDtls__No": 17}),
    ("body.DocDtls.Dt", {"DocDtls__Dt": "2024-05-06"}),
    ("body.DocDtls.Dt", {"DocDtls__Dt": "31/02/2024"}),
    ("body.DocDtls.Dt", {"DocDtls__Dt": "00/00/0000"}),
    ("body.DocDtls.Dt", {"DocDtls__Dt": "06/05/1024"}),
    ("body.DocDtls.Dt", {"DocDtls__Dt": "\u0660\u0666/\u0660\u0665/2024"}),
    ("body.DocDtls.Dt", {"DocDtls__Dt": 20240506}),
    ("body.SellerDtls", {"SellerDtls": DROP}),
    ("body.SellerDtls.Gstin", {"SellerDtls__Gstin": DROP}),
    ("body.SellerDtls.Gstin", {"SellerDtls__Gstin": "2" * 16}),
    ("body.SellerDtls.LglNm", {"SellerDtls__LglNm": ["AB"]}),
    ("body.SellerDtls.LglNm", {"SellerDtls__LglNm": "A" * 101}),
    ("body.SellerDtls.Addr1", {"SellerDtls__Addr1": " "}),
    ("body.SellerDtls.Pin", {"SellerDtls__Pin": 99999}),
    ("body.SellerDtls.Pin", {"SellerDtls__Pin": True}),
    ("body.SellerDtls.Pin", {"SellerDtls__Pin": 560001.0}),
    ("body.SellerDtls.Pin", {"SellerDtls__Pin": 10**400}),
    ("body.SellerDtls.Stcd", {"SellerDtls__Stcd": 29}),
    ("body.BuyerDtls", {"BuyerDtls": DROP}),
    ("body.BuyerDtls.Gstin", {"BuyerDtls__Gstin": None}),
    ("body.BuyerDtls.Pos", {"BuyerDtls__Pos": "XXVII"}),
    ("body.ItemList", {"ItemList": DROP}),
    ("body.ItemList", {"ItemList": []}),
    ("body.ItemList", {"ItemList": {}}),
    ("body.ItemList", {"ItemList": [{}] * 1001}),
    ("body.ItemList[0]", {"ItemList": [None]}),
    ("body.ItemList[0].IsServc", {"ItemList__0__IsServc": False}),
    ("body.ItemList[0].HsnCd", {"ItemList__0__HsnCd": "12"}),
    ("body.ItemList[0].AssAmt", {"ItemList__0__AssAmt": "10000"}),
    ("body.ItemList[0].AssAmt", {"ItemList__0__AssAmt": -1}),
    ("body.ItemList[0].AssAmt", {"ItemList__0__AssAmt": 1e300}),
    ("body.ItemList[0].AssAmt", {"ItemList__0__AssAmt": 10**400}),
    ("body.ItemList[0].AssAmt", {"ItemList__0__AssAmt": True}),
    ("body.ItemList[0].TotItemVal", {"ItemList__0__TotItemVal": "1"}),
    ("body.ValDtls", {"ValDtls": DROP}),
    ("body.ValDtls.AssVal", {"ValDtls__AssVal": {}}),
    ("body.ValDtls.TotInvVal", {"ValDtls__TotInvVal": [1]}),
    ("body.ValDtls.RndOffAmt", {"ValDtls__RndOffAmt": 1000}),
    ("body.ValDtls.RndOffAmt", {"ValDtls__RndOffAmt": "1"}),
    ("body.EwbDtls", {"EwbDtls": []}),
    ("body.EwbDtls", {"EwbDtls": "5 km"}),
    ("body.EwbDtls", {"EwbDtls": False}),
    ("body.EwbDtls.Distance", {"EwbDtls": {}}),
    ("body.EwbDtls.VehNo", {"EwbDtls": {"Distance": 5, "VehNo": "?"}}),
]
EWAY_CASES: list[tuple[str, dict[str, Any]]] = [
    ("body.supplyType", {"supplyType": "X"}),
    ("body.subSupplyType", {"subSupplyType": 13}),
    ("body.docType", {"docType": DROP}),
    ("body.docNo", {"docNo": "a b"}),
    ("body.docDate", {"docDate": "6/5/2024"}),
    ("body.fromGstin", {"fromGstin": DROP}),
    ("body.fromPincode", {"fromPincode": "12"}),
    ("body.toStateCode", {"toStateCode": 0}),
    ("body.totInvValue", {"totInvValue": "5"}),
    ("body.itemList", {"itemList": {}}),
    ("body.itemList[0].hsnCode", {"itemList__0__hsnCode": "x"}),
    ("body.itemList[0].taxableAmount", {"itemList__0__taxableAmount": "1"}),
    ("body.transDistance", {"transDistance": 4001}),
    ("body.transDistance", {"transDistance": "-5"}),
    ("body.transDistance", {"transDistance": DROP}),
    ("body.transMode", {"transMode": "9"}),
    ("body.vehicleType", {"vehicleType": "Z"}),
    ("body.vehicleNo", {"vehicleNo": "A" * 16}),
    ("body.transporterId", {"transporterId": "short"}),
    ("body.transDocDate", {"transDocDate": "yesterday"}),
]
OTHER_CASES: list[tuple[str, str, Any]] = [
    ("body.Irn", f"{EINV}/Cancel", {}),
    ("body.Irn", f"{EINV}/Cancel", {"Irn": "0" * 63}),
    ("body.CnlRsn", f"{EINV}/Cancel", {"Irn": "0" * 64, "CnlRsn": "5"}),
    ("body.CnlRsn", f"{EINV}/Cancel", {"Irn": "0" * 64, "CnlRsn": True}),
    ("body.CnlRsn", f"{EINV}/Cancel", {"Irn": "0" * 64}),
    ("body.CnlRem", f"{EINV}/Cancel", {"Irn": "0" * 64, "CnlRsn": "1", "CnlRem": "x" * 101}),
    ("body.Irn", EINV_EWB, {"Distance": 5}),
    ("body.ewbNo", f"{EWAY}/cancel", {"cancelRsnCode": 1}),
    ("body.ewbNo", f"{EWAY}/cancel", {"cancelRsnCode": 1, "ewbNo": 1e20}),
    ("body.ewbNo", f"{EWAY}/cancel", {"cancelRsnCode": 1, "ewbNo": "x"}),
    ("body.cancelRsnCode", f"{EWAY}/cancel", {"ewbNo": 123456789012}),
    ("body.reasonCode", f"{EWAY}/update-part-b", {"reasonCode": "5"}),
    ("body.fromPlace", f"{EWAY}/update-part-b", {"vehicleNo": "KA01AB1234", "fromPlace": 5}),
    ("body.extnRsnCode", f"{EWAY}/extend-validity", {"extnRsnCode": "7"}),
    ("body.remainingDistance", f"{EWAY}/extend-validity", {"extnRsnCode": 1}),
    ("body.transporterId", f"{EWAY}/update-transporter", {"transporterId": "x" * 15}),
]
BODIES: list[bytes] = [
    b"",
    b" ",
    b"null",
    b"[]",
    b'"text"',
    b"1",
    b"{",
    b"{}x",
    b'{"a":1,}',
    b'{"a":1,"a":1}',
    b'{"a":NaN}',
    b'{"a":1e999}',
    b'{"a":"\\ud800"}',
    b'{"a":"\xff"}',
    b'\xef\xbb\xbf{"a":1}',
    b"\x00",
    b"[" * 100_000,
    b'{"a":' * 65 + b"1" + b"}" * 65,
    b'{"a":' + b"9" * 5000 + b"}",
    b"a=1&b=2",
    b"<xml/>",
    "{}".encode("utf-16"),
]


@pytest.fixture
def unchanged(partner: Partner) -> Callable[[], None]:
    """Assert at the end that no business table changed since the log-in."""
    assert partner.token
    before = counts()

    def check() -> None:
        assert counts() == before

    return check


def is_invalid(reply: Any, place: str) -> None:
    assert (reply.status_code, error_of(reply)) == (
        400,
        {
            "message": "err-invalid-request-body",
            "type": "ClientRequest",
            "args": {"errorLocation": place},
        },
    )


def test_invoices(partner: Partner, unchanged: Callable[[], None]) -> None:
    for place, changes in INVOICE_CASES:
        is_invalid(partner.call(EINV, partner.invoice(**changes)), place)
    unchanged()


def test_eway_bills(partner: Partner, unchanged: Callable[[], None]) -> None:
    for place, changes in EWAY_CASES:
        is_invalid(partner.call(f"{EWAY}/gen-ewb", partner.eway_bill(**changes)), place)
    unchanged()


def test_other_operations(partner: Partner, unchanged: Callable[[], None]) -> None:
    for place, path, body in OTHER_CASES:
        is_invalid(partner.call(path, body), place)
    for path in ("cancel", "update-transporter"):
        body = {"ewbNo": 1, "cancelRsnCode": 1, "transporterId": "29TRANS1234X1Z0"}
        assert portal_code(partner.call(f"{EWAY}/{path}", body)) == "301"
    unchanged()


@pytest.mark.parametrize("path", [EINV, EINV_V1, f"{EWAY}/gen-ewb", f"{EWAY_V1}/cancel"])
def test_bodies(partner: Partner, unchanged: Callable[[], None], path: str) -> None:
    for body in BODIES:
        reply = partner.call(path, body)
        if body == b'{"a":' + b"9" * 5000 + b"}":
            is_invalid(reply, "body")
        else:
            assert reply.status_code == 400, body
            assert error_of(reply)["message"] == "err-invalid-request-body"
    unchanged()


def test_bodies_that_are_too_large(partner: Partner, unchanged: Callable[[], None]) -> None:
    reply = partner.call(EINV, b'"' + b"x" * (2 * 1024 * 1024) + b'"')
    assert (reply.status_code, error_of(reply)["args"]) == (413, {"errorLocation": "body"})
    unchanged()


def test_other_methods(partner: Partner, unchanged: Callable[[], None]) -> None:
    allowed = {
        EINV: "POST",
        f"{EINV}/irn/x": "GET",
        f"{EINV}/Cancel": "POST",
        f"{EWAY}/gen-ewb": "POST",
        f"{EWAY}/GetEwayBill": "GET",
        f"{EWAY}/cancel": "POST, PUT, PATCH",
        "/authenticate": "GET, POST",
    }
    for path, methods in allowed.items():
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
            if method in methods.split(", "):
                continue
            reply = partner.call(path, {}, method=method)
            assert (reply.status_code, reply["Allow"]) == (405, methods)
            assert error_of(reply)["message"] == "err-method-not-allowed"
    unchanged()


def test_headers_of_another_form(partner: Partner, unchanged: Callable[[], None]) -> None:
    for changes, place in (
        ({"n_irp_username": "a\x01b"}, "headers"),
        ({"n_irp_username": "Ren\xe9"}, "headers"),
        ({"n_x__y": "a"}, "headers"),
        ({"n_aes_encryption_mode": ""}, "headers.X-FLYNN-N-AES-ENCRYPTION-MODE"),
        ({"n_aes_encryption_mode": "ECB,CBC"}, "headers.X-FLYNN-N-AES-ENCRYPTION-MODE"),
        ({f"s_v{number}": "x" for number in range(16)}, "headers"),
    ):
        is_invalid(partner.call(EINV, partner.invoice(), **changes), place)
    unchanged()


def test_everything_that_does_not_open_has_its_one_reply(
    partner: Partner, unchanged: Callable[[], None]
) -> None:
    """Two errors, told apart by what the REK block holds, and by nothing else."""
    public = rsa.load_public_pem(partner.bundle["public_key_pem"])
    another = committed_rsa_key(4096).public_key()
    session = Session.fresh(Mode.CBC)
    rek_text = session.key.hex().encode()
    good = partner.portal_headers("irp")
    cbc = good | {
        "x-flynn-s-rek": _wrap(public, rek_text),
        "x-flynn-s-iv": _wrap(public, session.iv),
        "x-flynn-n-aes-encryption-mode": "CBC",
        "x-flynn-s-irp-pwd": session.seal("pw"),
    }
    twin = good["x-flynn-s-rek"] + "," + good["x-flynn-s-rek"]
    reks = [
        "",
        "*",
        "AAAA",
        twin,
        good["x-flynn-s-rek"][:-4],
        good["x-flynn-s-rek"] + "AAAA",
        base64_text.encode(bytes(256)),
        base64_text.encode(b"\xff" * 256),
        _wrap(another, rek_text),
        _wrap(public, rek_text, "oaep_sha256"),
        _wrap(public, rek_text, "oaep_sha1"),
        _wrap(public, b""),
        _wrap(public, session.key),
        _wrap(public, rek_text[:-1]),
        _wrap(public, b"g" * 64),
        _raw(public, b"\0\1" + b"\x55" * 189 + b"\0" + rek_text),
        _raw(public, b"\1\2" + b"\x55" * 189 + b"\0" + rek_text),
        _raw(public, b"\0\2" + b"\x55" * 254),
    ]
    sealed = good["x-flynn-s-irp-pwd"]
    key = partner.rek.key
    values = [
        {"x-flynn-s-irp-pwd": value}
        for value in (
            "",
            "*",
            "A",
            "AAAA",
            sealed + "," + sealed,
            sealed[:-8],
            base64_text.encode(base64_text.decode(sealed) + b"\0"),
            base64_text.encode(base64_text.decode(sealed)[:-1]),
            Session.fresh().seal("pw"),
            base64_text.encode(aes.ecb_encrypt(key, b"A" * 32)[:32]),
            base64_text.encode(aes.ecb_encrypt(key, b"\x11" * 32)[:32]),
            base64_text.encode(aes.ecb_encrypt(key, b"\xff\xfe")),
            base64_text.encode(aes.ecb_encrypt(key, b"\xed\xa0\x80")),
        )
    ]
    ivs = [{**cbc, "x-flynn-s-iv": iv} for iv in ("", "*", "AAAA", _wrap(public, b"x" * 15))]
    ivs.append({name: text for name, text in cbc.items() if name != "x-flynn-s-iv"})
    groups = {
        b"err-unable-to-decrypt-message-with-key": [
            *({**good, "x-flynn-s-rek": rek} for rek in reks),
            {name: text for name, text in good.items() if name != "x-flynn-s-rek"},
            {**cbc, "x-flynn-s-rek": "AAAA", "x-flynn-s-iv": "AAAA"},
        ],
        b"err-aes-decryption-failed": [*({**good, **value} for value in values), *ivs],
    }
    for message, refused in groups.items():
        replies = set()
        for headers in refused:
            reply = partner.send("POST", EINV, partner.invoice(), headers)
            replies.add((reply.status_code, reply.content))
        ((status, body),) = replies
        assert status == 500
        assert message in body
    unchanged()
    assert UserSession.objects.get().failed_openings == sum(map(len, groups.values()))


def _wrap(key: RSAPublicKey, text: bytes, padding: str = "pkcs1v15") -> str:
    return base64_text.encode(rsa.encrypt(key, text, padding))


def _raw(key: RSAPublicKey, block: bytes) -> str:
    """Return a block whose padded plaintext is ``block``."""
    assert len(block) == 256
    numbers = key.public_numbers()
    cipher = pow(int.from_bytes(block, "big"), numbers.e, numbers.n)
    return base64_text.encode(cipher.to_bytes(256, "big"))


def test_the_table_is_long_enough() -> None:
    assert len(INVOICE_CASES) + len(EWAY_CASES) + len(OTHER_CASES) + len(BODIES) > 100
    assert changed({"a": [{"b": 1}]}, {"a__0__b": DROP}) == {"a": [{}]}
