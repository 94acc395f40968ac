"""Ping and the authentication checks: who may call, and what the encryption check tells."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client as Http

from crypto_schemes import base64_text
from crypto_schemes.ciphers import rsa
from crypto_schemes.envelope import SealedRequest
from crypto_schemes.flynn import Mode, Session, open_client_message
from flows_endpoint.flynn.models import UserSession
from flows_endpoint.models import ExchangeRow
from tests.flows_endpoint.flynn.partner import SECRETS, Clock, Partner, error_of

pytestmark = pytest.mark.django_db
Make = Callable[..., Partner]
REK_ERROR = {
    "error": {"message": "err-unable-to-decrypt-message-with-key", "type": "Runtime", "args": {}}
}
VALUE_ERROR = {
    "error": {
        "message": "err-aes-decryption-failed",
        "type": "Runtime",
        "args": {"details": {"type": "Runtime"}},
    }
}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_ping_asks_for_nothing(client: Http, method: str) -> None:
    reply = client.generic(method, "/ping")
    assert (reply.status_code, reply.content) == (200, b'{"data":{"message":"pong"}}')
    assert reply["Content-Type"] == "application/json"


def test_ping_takes_no_other_method(client: Http) -> None:
    reply = client.delete("/ping")
    assert (reply.status_code, reply["Allow"]) == (405, "GET, POST")
    assert error_of(reply)["message"] == "err-method-not-allowed"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_token_in_force_passes(partner: Partner, method: str) -> None:
    reply = partner.send(method, "/authenticate", headers=partner.headers())
    assert (reply.status_code, reply.content) == (200, b'{"data":{"message":"pong"}}')
    row = ExchangeRow.objects.latest("id")
    assert (row.operation, row.outcome, row.key_versions) == (
        "authenticate",
        "ok",
        "token_signing v1",
    )


def test_an_authorization_header_besides_is_tolerated(partner: Partner) -> None:
    headers = partner.headers() | {"Authorization": "Bearer something.else.entirely"}
    assert partner.send("GET", "/authenticate", headers=headers).status_code == 200


def test_who_may_not_call(make_partner: Make, clock: Clock) -> None:
    one, other = make_partner(address="one"), make_partner(address="other")
    org, token = "x-flynn-n-org-id", "x-flynn-n-user-token"
    good = one.headers()
    cases = {
        "err-invalid-org": [
            {**good, org: ""},
            {**good, org: "acme"},
            {**good, org: other.bundle["org_id"].replace("-", "")},
            {**good, org: good[org] + "," + good[org]},
            {**good, org: "00000000-0000-4000-8000-000000000000"},
            {token: good[token]},
        ],
        "err-invalid-token": [
            {**good, token: ""},
            {**good, token: "Bearer " + good[token]},
            {**good, token: good[token][:-2]},
            {**good, token: good[token] + "," + good[token]},
            {**good, token: other.token},
            {**good, org: other.bundle["org_id"]},
            {org: good[org]},
        ],
    }
    for message, refused in cases.items():
        for headers in refused:
            reply = one.send("GET", "/authenticate", headers=headers)
            assert reply.status_code == 403, headers
            assert reply.json() == {
                "error": {"message": message, "type": "Authorization", "args": {}}
            }
    clock.forward(hours=6)
    reply = one.send("GET", "/authenticate", headers=good)
    assert (reply.status_code, error_of(reply)["message"]) == (403, "err-expired-token")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("size", [16, 24, 32])
def test_the_message_comes_back_as_it_went(
    partner: Partner, method: str, mode: Mode, size: int
) -> None:
    session = Session.fresh(mode, size=size)
    headers = partner.headers({"data": "Grüße ✓"}, session=session)
    for _ in range(2):  # a REK may come again
        reply = partner.send(method, SECRETS, headers=headers)
        assert reply.status_code == 200
        data = reply.json()["data"]
        assert list(data) == ["message", "client-message"]
        assert data["message"] == "pong"
        assert data["client-message"] == headers["x-flynn-s-data"]
        sent = SealedRequest(body=b"", headers=headers, context=session)
        assert open_client_message(data["client-message"], sent) == "Grüße ✓"
    assert ExchangeRow.objects.latest("id").key_versions == "token_signing v1, flynn_rsa v1"


@pytest.mark.parametrize("bits", [3072, 4096])
def test_larger_keys(make_partner: Make, bits: int) -> None:
    partner = make_partner(options={"rsa_bits": bits})
    assert rsa.load_public_pem(partner.bundle["public_key_pem"]).key_size == bits
    headers = partner.headers({"data": "x"}, session=Session.fresh(Mode.CBC))
    assert partner.send("GET", SECRETS, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "options",
    [{"rsa_padding": "oaep_sha1"}, {"rsa_padding": "oaep_sha256"}, {"rek_encoding": "base64"}],
)
def test_other_writings(make_partner: Make, options: dict[str, str]) -> None:
    partner = make_partner(options=options)
    headers = partner.headers({"data": "x"})
    assert partner.send("GET", SECRETS, headers=headers).status_code == 200


def test_without_data_there_is_nothing_to_send_back(partner: Partner) -> None:
    reply = partner.send("GET", SECRETS, headers=partner.headers())
    assert reply.status_code == 400
    assert error_of(reply)["args"] == {"errorLocation": "headers.X-FLYNN-S-DATA"}


def test_the_two_errors_of_the_encryption(partner: Partner) -> None:
    good = partner.headers({"data": "x"}, session=Session.fresh(Mode.CBC))
    rek, iv, data, mode = (
        "x-flynn-s-rek",
        "x-flynn-s-iv",
        "x-flynn-s-data",
        "x-flynn-n-aes-encryption-mode",
    )
    another = base64_text.encode(
        rsa.encrypt(rsa.generate(2048).public_key(), b"00" * 16, "pkcs1v15")
    )
    no_hex = base64_text.encode(
        rsa.encrypt(rsa.load_public_pem(partner.bundle["public_key_pem"]), b"g" * 32, "pkcs1v15")
    )
    cases = [
        (REK_ERROR, {**good, rek: ""}),
        (REK_ERROR, {**good, rek: "AAAA"}),
        (REK_ERROR, {**good, rek: "not base64"}),
        (REK_ERROR, {**good, rek: another}),
        (REK_ERROR, {**good, rek: no_hex}),
        (REK_ERROR, {**good, rek: good[iv]}),
        (REK_ERROR, {name: text for name, text in good.items() if name != rek}),
        (VALUE_ERROR, {**good, data: ""}),
        (VALUE_ERROR, {**good, data: "AAAA"}),
        (VALUE_ERROR, {**good, data: Session.fresh().seal("x")}),
        (VALUE_ERROR, {**good, mode: "ECB"}),
        (VALUE_ERROR, {**good, iv: "AAAA"}),
        (VALUE_ERROR, {name: text for name, text in good.items() if name != iv}),
    ]
    for expected, headers in cases:
        for path in (SECRETS, "/authenticate"):
            reply = partner.send("GET", path, headers=headers)
            assert (reply.status_code, reply.json()) == (500, expected)
    assert set(ExchangeRow.objects.filter(reason="cannot_open").values_list("outcome", "step")) == {
        ("refused", step) for step in ("rek", "rek_missing", "value", "iv_missing")
    }


def test_an_unknown_mode_is_the_clients_error(partner: Partner) -> None:
    headers = partner.headers({"data": "x"}) | {"x-flynn-n-aes-encryption-mode": "GCM"}
    reply = partner.send("GET", SECRETS, headers=headers)
    assert reply.status_code == 400
    assert error_of(reply)["args"] == {"errorLocation": "headers.X-FLYNN-N-AES-ENCRYPTION-MODE"}


def test_whoever_only_tries_is_shut_out(make_partner: Make) -> None:
    partner = make_partner(options={"max_failed_openings": 3})
    bad = partner.headers({"data": "x"}) | {"x-flynn-s-data": "AAAA"}
    good = partner.headers({"data": "x"})
    assert partner.send("GET", SECRETS, headers=good).status_code == 200
    assert [partner.send("GET", SECRETS, headers=bad).status_code for _ in range(3)] == [500] * 3
    for headers in (bad, good):
        reply = partner.send("GET", SECRETS, headers=headers)
        assert (reply.status_code, error_of(reply)["message"]) == (403, "err-invalid-token")
    session = UserSession.objects.get()
    assert (session.end_reason, session.failed_openings) == ("failed_openings", 3)
    partner.forget_token()
    headers = partner.headers({"data": "x"})
    assert partner.send("GET", SECRETS, headers=headers).status_code == 200


def test_what_is_opened_is_opened_for_a_living_session_only(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = partner.headers({"data": "x"})
    UserSession.objects.all().delete()

    def never(*_: object) -> bytes:
        raise AssertionError("a private key was used")

    monkeypatch.setattr(rsa, "decrypt", never)
    reply = partner.send("GET", SECRETS, headers=headers)
    assert (reply.status_code, error_of(reply)["message"]) == (403, "err-invalid-token")


@pytest.mark.parametrize(
    ("path", "envelope"),
    [
        ("/basic/einv/v3.0/ni9/eicore/v1.03/Invoice", "v3"),
        ("/basic/eway/v3.0/ew3/v1.03/ewayapi/gen-ewb", "v3"),
        ("/basic/einv/v1.0/ni1/eicore/v1.03/Invoice", "v1"),
        ("/basic/", "v1"),
        ("/theodore/apis/v2/authtokens", "v1"),
    ],
)
def test_unknown_addresses(client: Http, path: str, envelope: str) -> None:
    error = {"message": "err-resource-not-found", "type": "ResourceNotFound", "args": {}}
    expected = {"error": error}
    if envelope == "v3":
        nothing = {"info": None, "additionalInfo": None, "alert": None}
        expected = {"status": "0", "data": None, "error": error, **nothing}  # type: ignore[dict-item]
    for method in ("GET", "POST", "DELETE"):
        reply = client.generic(method, path)
        assert (reply.status_code, reply.json()) == (404, expected)
