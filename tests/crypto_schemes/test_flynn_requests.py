"""What a request may look like, and what is made of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from crypto_schemes.envelope import OpenedRequest, SealedReply, SealedRequest
from crypto_schemes.errors import KeyUnavailableError, OpenError, SealError
from crypto_schemes.flynn import (
    SCHEME,
    FlynnContext,
    FlynnOptions,
    Mode,
    Session,
    open_client_message,
    seal_client_message,
)
from crypto_schemes.keys import Credentials
from tests.crypto_schemes.flynn_partner import (
    CBC,
    ECB,
    IV,
    NOW,
    OPTIONS,
    ORG,
    REK,
    partner,
    request,
    server,
    token,
    wrap,
)


def open_it(
    sealed: SealedRequest, key: RSAPrivateKey, options: FlynnOptions = OPTIONS
) -> OpenedRequest:
    return SCHEME.open_request(sealed, server(key), options, now=NOW)


def test_plain_sensitive_and_body_come_out_apart(rsa_2048: RSAPrivateKey) -> None:
    sealed = request(
        b' {"Version": "1.1", "amount": 100.00}\n',
        irp_gstin="29AAAAA0000A1Z5",
        irp_pwd__s=ECB.seal("s3cret ✓"),
        rek__s=wrap(rsa_2048, REK.hex().encode()),
    )
    opened = open_it(sealed, rsa_2048)
    assert opened.payload == {
        "plain": {"org-id": ORG, "irp-gstin": "29AAAAA0000A1Z5"},
        "sensitive": {"irp-pwd": "s3cret ✓"},
        "body": {"Version": "1.1", "amount": 100.0},
    }
    # The body keeps the very text it came in.
    assert opened.raw.endswith(b'"body":{"Version": "1.1", "amount": 100.00}}')
    assert json.loads(opened.raw) == opened.payload
    assert [version.id for version in opened.opened_by] == ["token_signing-1", "flynn_rsa-1"]
    assert opened.once is None
    assert opened.issued_at is None


def test_nothing_encrypted_touches_no_key_pair(rsa_2048: RSAPrivateKey) -> None:
    opened = open_it(request(irp_pwd="plain"), rsa_2048)
    assert opened.payload == {
        "plain": {"org-id": ORG, "irp-pwd": "plain"},
        "sensitive": {},
        "body": None,
    }
    assert opened.raw == json.dumps(opened.payload, separators=(",", ":")).encode()
    assert [version.id for version in opened.opened_by] == ["token_signing-1"]
    context = opened.context
    assert isinstance(context, FlynnContext)
    assert context.session is None
    assert context.claims.user_id == "u-1"


def test_the_sensitive_password_wins(rsa_2048: RSAPrivateKey) -> None:
    sealed = request(
        irp_pwd="plain",
        irp_pwd__s=ECB.seal("encrypted"),
        rek__s=wrap(rsa_2048, REK.hex().encode()),
    )
    payload = open_it(sealed, rsa_2048).payload
    assert payload["plain"] == {"org-id": ORG}
    assert payload["sensitive"] == {"irp-pwd": "encrypted"}


@pytest.mark.parametrize("mode", ["CBC", "cbc", " Cbc "])
@pytest.mark.parametrize(
    "iv", [IV, IV.hex().encode(), IV.hex().upper().encode(), b"yMnKy8zNzs/Q0dLT1NXW1w=="]
)
def test_every_writing_of_mode_and_iv(mode: str, iv: bytes, rsa_2048: RSAPrivateKey) -> None:
    sealed = request(
        aes_encryption_mode=mode,
        rek__s=wrap(rsa_2048, REK.hex().encode()),
        iv__s=wrap(rsa_2048, iv),
        data__s=CBC.seal("hello, " * 9),
    )
    opened = open_it(sealed, rsa_2048)
    assert opened.payload["sensitive"] == {"data": "hello, " * 9}
    assert opened.context.session == CBC


@pytest.mark.parametrize(
    ("encoding", "text", "key"),
    [
        ("base64", b"ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoM=", REK),
        ("utf8", b"an AES key of 24 letters", b"an AES key of 24 letters"),
        ("utf8", "ключ из 16 bayts".encode()[:0] + "ключi16b".encode() + b"ytes", None),
    ],
)
def test_every_writing_of_the_rek(
    encoding: str, text: bytes, key: bytes | None, rsa_2048: RSAPrivateKey
) -> None:
    session = Session(key or text)
    sealed = request(rek__s=wrap(rsa_2048, text), data__s=session.seal("hello"))
    options = FlynnOptions.from_mapping({"rek_encoding": encoding})
    assert open_it(sealed, rsa_2048, options).payload["sensitive"] == {"data": "hello"}


@pytest.mark.parametrize("padding", ["pkcs1v15", "oaep_sha1", "oaep_sha256"])
def test_every_padding(padding: str, rsa_2048: RSAPrivateKey) -> None:
    options = FlynnOptions.from_mapping({"rsa_padding": padding})
    sealed = SCHEME.seal_request(
        {"sensitive": {"data": "x"}},
        partner(rsa_2048),
        options,
        now=NOW,
        token=token(),
        session=Session.fresh(Mode.CBC),
    )
    assert open_it(sealed, rsa_2048, options).payload["sensitive"] == {"data": "x"}


def test_an_iv_in_ecb_mode_is_ignored(rsa_2048: RSAPrivateKey) -> None:
    sealed = request(
        rek__s=wrap(rsa_2048, REK.hex().encode()), iv__s="not even base64!", data__s=ECB.seal("x")
    )
    assert open_it(sealed, rsa_2048).payload["sensitive"] == {"data": "x"}


def test_an_iv_or_mode_without_anything_encrypted_is_ignored(rsa_2048: RSAPrivateKey) -> None:
    opened = open_it(request(aes_encryption_mode="CBC", iv__s="?"), rsa_2048)
    assert opened.context.session is None


def test_a_rek_may_come_again(rsa_2048: RSAPrivateKey) -> None:
    sealed = request(rek__s=wrap(rsa_2048, REK.hex().encode()), data__s=ECB.seal("x"))
    first, second = open_it(sealed, rsa_2048), open_it(sealed, rsa_2048)
    assert first.payload == second.payload
    assert first.once is second.once is None


def test_base64_may_be_folded_unpadded_or_of_the_url_alphabet(rsa_2048: RSAPrivateKey) -> None:
    rek = wrap(rsa_2048, REK.hex().encode())
    folded = " ".join(rek[at : at + 76] for at in range(0, len(rek), 76))
    value = ECB.seal("x").rstrip("=").replace("+", "-").replace("/", "_")
    opened = open_it(request(rek__s=folded, data__s=value), rsa_2048)
    assert opened.payload["sensitive"] == {"data": "x"}


def test_the_letter_case_of_the_organisation_is_free(rsa_2048: RSAPrivateKey) -> None:
    assert open_it(request(org_id=ORG.upper()), rsa_2048).payload["plain"] == {
        "org-id": ORG.upper()
    }


@pytest.mark.parametrize("session", [ECB, CBC], ids=["ECB", "CBC"])
def test_the_client_message_is_sealed_as_the_request_was(
    session: Session, rsa_2048: RSAPrivateKey
) -> None:
    sent = SCHEME.seal_request(
        {"sensitive": {"data": "ping ✓"}},
        partner(rsa_2048),
        OPTIONS,
        now=NOW,
        token=token(),
        session=session,
    )
    opened = open_it(sent, rsa_2048)
    message = seal_client_message(opened.payload["sensitive"]["data"], opened)
    assert message == sent.headers["x-flynn-s-data"]
    assert open_client_message(message, sent) == "ping ✓"


def test_without_a_rek_there_is_no_client_message(rsa_2048: RSAPrivateKey) -> None:
    opened = open_it(request(), rsa_2048)
    with pytest.raises(SealError):
        seal_client_message("x", opened)
    sent = SCHEME.seal_request({}, partner(rsa_2048), OPTIONS, now=NOW)
    with pytest.raises(OpenError) as caught:
        open_client_message("AAAA", sent)
    assert caught.value.code == "reply_value"


@pytest.mark.parametrize("value", [None, 1, "", "AAAA", "A" * 22 + "=="])
def test_a_client_message_that_does_not_open(value: Any, rsa_2048: RSAPrivateKey) -> None:
    sent = SCHEME.seal_request({}, partner(rsa_2048), OPTIONS, now=NOW, session=ECB)
    with pytest.raises(OpenError):
        open_client_message(value, sent)


def test_replies_are_plain(rsa_2048: RSAPrivateKey) -> None:
    opened = open_it(request(), rsa_2048)
    value = {"error": {"message": "err-invalid-org", "type": "Authorization", "args": {}}}
    reply = SCHEME.seal_reply(value, opened, server(rsa_2048), OPTIONS, now=NOW)
    assert reply == SealedReply(
        body=b'{"error":{"message":"err-invalid-org","type":"Authorization","args":{}}}'
    )
    sent = SCHEME.seal_request({}, partner(rsa_2048), OPTIONS, now=NOW)
    assert SCHEME.open_reply(reply, sent, partner(rsa_2048), OPTIONS, now=NOW) == value
    with pytest.raises(OpenError):
        SCHEME.open_reply(SealedReply(body=b"<html>"), sent, partner(rsa_2048), OPTIONS, now=NOW)


def test_a_sealed_request_names_organisation_and_token(rsa_2048: RSAPrivateKey) -> None:
    sealed = SCHEME.seal_request(
        {"plain": {"irp-gstin": "29AAAAA0000A1Z5"}, "body": None},
        partner(rsa_2048),
        OPTIONS,
        now=NOW,
        token="a.b.c",
    )
    assert sealed.headers == {
        "accept": "application/json; charset=UTF-8",
        "x-flynn-n-org-id": ORG,
        "x-flynn-n-irp-gstin": "29AAAAA0000A1Z5",
        "x-flynn-n-user-token": "a.b.c",
    }
    assert sealed.body == b""
    assert sealed.context is None


@pytest.mark.parametrize(
    "payload",
    [
        None,
        [],
        "text",
        {"headers": {}},
        {"plain": []},
        {"plain": {"irp-gstin": 1}},
        {"plain": {"user-token": "x"}},
        {"plain": {"aes-encryption-mode": "CBC"}},
        {"plain": {"Irp": "x"}},
        {"plain": {"a b": "x"}},
        {"plain": {1: "x"}},
        {"plain": {"a": "line\r\nbreak"}},
        {"plain": {"a": " blank"}},
        {"plain": {"a": "é"}},
        {"sensitive": None},
        {"sensitive": {"rek": "x"}},
        {"sensitive": {"iv": "x"}},
        {"sensitive": {"data": b"x"}},
        {"sensitive": {"data": "\ud800"}},
        {"body": {1, 2}},
        {"body": float("nan")},
    ],
)
def test_what_no_request_can_say(payload: Any, rsa_2048: RSAPrivateKey) -> None:
    with pytest.raises(SealError):
        SCHEME.seal_request(payload, partner(rsa_2048), OPTIONS, now=NOW)


def test_a_binary_rek_has_no_utf8_writing(rsa_2048: RSAPrivateKey) -> None:
    options = FlynnOptions(rek_encoding="utf8")
    with pytest.raises(SealError, match="printable"):
        SCHEME.seal_request({}, partner(rsa_2048), options, now=NOW, session=Session(b"\xff" * 16))


def test_no_key_pair_no_sealing() -> None:
    with pytest.raises(KeyUnavailableError):
        SCHEME.seal_request({"sensitive": {"data": "x"}}, Credentials(), OPTIONS, now=NOW)
